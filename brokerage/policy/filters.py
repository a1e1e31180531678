"""The rules that refuse a site, one small function each.

A rule answers None when the site may take the bunch, else one sentence with its numbers. It is
pure: everything it knows is in its three arguments. ``FILTERS`` is the order in which they are
asked, and the name of the function is the name of the rule wherever a refusal is shown.
"""

from collections.abc import Callable
from math import ceil

from .needs import Needs, Offer, Rules, plain

Filter = Callable[[Needs, Offer, Rules], str | None]


def cloud_status(needs: Needs, _: Offer, rules: Rules) -> str | None:
    """Production goes to online clouds; analysis and a fixed site look at the site alone."""
    if rules.is_analysis(needs) or needs.fixed or rules.cloud.status == "online":
        return None
    return f"cloud {rules.cloud.name} is {rules.cloud.status}"


def cloud_class(needs: Needs, _: Offer, rules: Rules) -> str | None:
    """Production that names no cloud: validation and urgent evgen need a cloud open for it."""
    if rules.is_analysis(needs) or needs.fixed or needs.cloud:
        return None
    cloud, limits, kind = rules.cloud, rules.limits, needs.processing_type
    if kind in limits.validation_types and not cloud.validation:
        return f"{kind} goes to validation clouds only, and {cloud.name} is not one"
    urgent = kind in limits.evgen_types and needs.priority > limits.fasttrack_priority
    if urgent and not cloud.fasttrack:
        return (
            f"{kind} of priority {needs.priority}, above {limits.fasttrack_priority}, "
            f"goes to fast-track clouds only, and {cloud.name} is not one"
        )
    return None


def tier1(needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """Urgent production and reprocessing run at the cloud's Tier-1, where the data are."""
    if needs.fixed or needs.label not in rules.limits.tier1_labels:
        return None
    if rules.cloud.tier1 is None or rules.is_tier1(offer):
        return None
    if needs.priority >= rules.limits.high_priority:
        return (
            f"production of priority {needs.priority}, {rules.limits.high_priority} or more, "
            f"runs at the Tier-1 {rules.cloud.tier1}"
        )
    if rules.is_reprocessing(needs) and rules.cloud.reprocessing_at_tier1:
        return f"{needs.processing_type} runs at the Tier-1 {rules.cloud.tier1}"
    return None


def job_type(needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """A site takes production, analysis, or both."""
    kind = "analysis" if rules.is_analysis(needs) else "production"
    if offer.type in (kind, "both"):
        return None
    return f"takes {offer.type} jobs, label {needs.label} is {kind}"


def status(needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """Online takes all, brokeroff what was sent there by name, test only tests, offline nothing."""
    limits = rules.limits
    a_test = needs.label in limits.test_labels or needs.processing_type in limits.test_types
    taken = {"online": True, "brokeroff": needs.fixed, "test": a_test}
    if taken.get(offer.status, False):
        return None
    why = f" ({offer.status_reason})" if offer.status_reason else ""
    only = {
        "brokeroff": ", takes only jobs sent to it by name",
        "test": f", takes only test jobs, not label {needs.label}",
    }
    return f"status is {offer.status}{why}{only.get(offer.status, '')}"


def downtime(_needs: Needs, offer: Offer, _: Rules) -> str | None:
    """A site in an outage takes nothing, not even what is sent there by name; it ends by itself."""
    return f"is in downtime {offer.downtime}" if offer.downtime else None


def releases(needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """The releases must be installed for the platform; for reprocessing they must be validated.

    Not asked: an install job (it brings the release), a cloud that does not check, a site that
    declares no release at all. Reprocessing is always asked.
    """
    if not _asked_for_releases(needs, offer, rules):
        return None
    strict = rules.is_reprocessing(needs)
    missing = _missing(needs, offer.validated_releases if strict else offer.releases)
    if not missing:
        return None
    platform = f" for {needs.cmt_config}" if needs.cmt_config else ""
    return f"release {', '.join(missing)}{platform} is not {'validated' if strict else 'installed'}"


def platform(needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """A job that names a platform and no release: the site must have some release for it.

    Asked where releases are: the claim asks the pilot for the same.
    """
    if needs.releases or not needs.cmt_config or not _declares_releases(needs, offer, rules):
        return None
    if any(cmt_config == needs.cmt_config for _, cmt_config in offer.releases):
        return None
    return f"no release for {needs.cmt_config} is installed"


def lacks_releases(needs: Needs, offer: Offer, rules: Rules) -> bool:
    """Whether the site is asked for a release that is not even installed there.

    No filter: a release that waits for its validation is refused by `releases`, but is no reason
    to give a job up.
    """
    return _asked_for_releases(needs, offer, rules) and bool(_missing(needs, offer.releases))


def _asked_for_releases(needs: Needs, offer: Offer, rules: Rules) -> bool:
    return bool(needs.releases) and _declares_releases(needs, offer, rules)


def _declares_releases(needs: Needs, offer: Offer, rules: Rules) -> bool:
    """Whether what is installed at the site is known, and binds this job."""
    if needs.label in rules.limits.install_labels:
        return False
    return rules.is_reprocessing(needs) or (rules.cloud.releases_checked and bool(offer.releases))


def _missing(needs: Needs, have: frozenset[tuple[str, str]]) -> list[str]:
    return [name for name in needs.releases if not _has(have, name, needs.cmt_config)]


def _has(have: frozenset[tuple[str, str]], release: str, cmt_config: str) -> bool:
    if cmt_config:
        return (release, cmt_config) in have
    return any(name == release for name, _ in have)


def memory(needs: Needs, offer: Offer, _: Rules) -> str | None:
    """A job of n cores takes n slots, and so the memory of n slots."""
    per_slot = ceil(needs.memory_mb / needs.cores)
    if not offer.memory_mb or per_slot <= offer.memory_mb:
        return None
    return f"needs {per_slot} MB per slot, site offers {offer.memory_mb} MB"


def disk(needs: Needs, offer: Offer, _: Rules) -> str | None:
    """The scratch space of one job."""
    if not offer.scratch_mb or needs.disk_mb <= offer.scratch_mb:
        return None
    return f"needs {needs.disk_mb} MB of scratch disk, site offers {offer.scratch_mb} MB"


def cpu_speed(needs: Needs, offer: Offer, _: Rules) -> str | None:
    """A site of unknown speed may take it: the pilot's own number is matched again at dispatch."""
    if not offer.cpu_speed_mhz or needs.cpu_speed_mhz <= offer.cpu_speed_mhz:
        return None
    return f"needs a CPU of {needs.cpu_speed_mhz} MHz, site offers {offer.cpu_speed_mhz} MHz"


def cores(needs: Needs, offer: Offer, _: Rules) -> str | None:
    """A job cannot have more cores than the site gives to one job, or has at all."""
    most = offer.max_core_count or offer.slots
    if not most or needs.cores <= most:
        return None
    return f"needs {needs.cores} cores, site offers {most}"


def wall_time(needs: Needs, offer: Offer, _: Rules) -> str | None:
    """A job that would outlive the site's limit would be killed at the end of its work."""
    if not offer.wall_seconds or needs.wall_seconds <= offer.wall_seconds:
        return None
    return f"needs {needs.wall_seconds} s of wall time, site offers {offer.wall_seconds} s"


def vo(needs: Needs, offer: Offer, _: Rules) -> str | None:
    """A site that names its VOs serves no other."""
    if not offer.vos or needs.vo in offer.vos:
        return None
    return f"serves VO {', '.join(sorted(offer.vos))}, not {needs.vo or 'jobs without a VO'}"


def storage(_needs: Needs, offer: Offer, _: Rules) -> str | None:
    """Inputs arrive at, and outputs leave from, the site's storage element."""
    return None if offer.has_storage else "has no storage element for inputs and outputs"


def pilots(needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """A site without pilots runs nothing; who names the site is believed to know better."""
    if offer.pilots_recent > 0 or needs.fixed:
        return None
    return f"no pilot was seen in the last {plain(rules.limits.evidence_hours)} h"


def space(_needs: Needs, offer: Offer, rules: Rules) -> str | None:
    """What the jobs already there may still write is counted as used. Never measured: not asked."""
    if offer.free_gb is None:
        return None
    jobs = offer.assigned + offer.activated + offer.running
    each = rules.limits.space_per_job_gb
    left = offer.free_gb - each * jobs
    if left >= offer.space_threshold_gb:
        return None
    return (
        f"{plain(offer.free_gb)} GB free less {plain(each)} GB for each of {jobs} jobs is "
        f"{plain(left)} GB, the Tier-{offer.tier} threshold is {plain(offer.space_threshold_gb)} GB"
    )


FILTERS: tuple[Filter, ...] = (
    cloud_status,
    cloud_class,
    tier1,
    job_type,
    status,
    downtime,
    releases,
    platform,
    memory,
    disk,
    cpu_speed,
    cores,
    wall_time,
    vo,
    storage,
    pilots,
    space,
)


_NAMED = tuple((rule.__name__, rule) for rule in FILTERS)


def refusals(needs: Needs, offer: Offer, rules: Rules) -> list[tuple[str, str]]:
    """Every rule that refuses, as (rule name, sentence), in the order of ``FILTERS``.

    All are asked, not only up to the first: a site that lacks memory *and* a release should say
    both at once to whoever has to mend it.
    """
    found = []
    for name, rule in _NAMED:  # 17 rules at 200 sites for each kind of job: no generator here
        sentence = rule(needs, offer, rules)
        if sentence is not None:
            found.append((name, sentence))
    return found
