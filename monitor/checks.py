"""What must be so for a job to run, one check each, with the step that would mend it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from brokerage.policy import Choice
from jobs.models import AnyJob
from monitor.words import PILOT_HOURS, plural

NEAREST = 3  # sites that are told of in full


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must be so. `ok` None: it only tells. `fix` is the next step."""

    name: str
    ok: bool | None
    words: str
    fix: str = ""


# The step that would mend a refusal, by the name of the rule (brokerage/policy/filters.py).
FIXES = {
    "cloud_status": "set the cloud online, or name another one",
    "cloud_class": "open the cloud for such jobs in the admin, or name a cloud",
    "tier1": "lower the priority, or wait for the Tier-1",
    "job_type": "submit to a site of that type, or change the site's type",
    "status": "set the site online once its trouble is over",
    "releases": "install (and validate) the release there, or ask for one that is",
    "platform": "install a release for the platform there",
    "memory": "ask for less memory, or for more cores",
    "disk": "ask for less disk",
    "cpu_speed": "ask for a slower CPU",
    "cores": "ask for fewer cores",
    "wall_time": "ask for less time: cut the job into smaller ones",
    "vo": "let the site serve the VO, or submit elsewhere",
    "storage": "give the site a storage element in the admin",
    "pilots": "start pilots at the site",
    "space": "delete from the storage element, or wait until its jobs have ended",
}


def nearest(choice: Choice) -> list[Check]:
    """The sites that refuse by the fewest rules, and what would make them take it. Pure."""
    refused = [verdict for verdict in choice.verdicts if not verdict.accepted]
    ranked = sorted(refused, key=lambda verdict: (len(verdict.details), verdict.site))
    return [
        Check(
            name=verdict.site,
            ok=False,
            words="; ".join([verdict.reason, *verdict.details]),
            fix=FIXES.get(verdict.rule, "") if not verdict.details else "more than one thing",
        )
        for verdict in ranked[:NEAREST]
    ]


class Called(NamedTuple):
    """What a pilot said of its node when it called last: MHz, MB, MB."""

    node: str
    cpu_speed_mhz: int
    memory_mb: int
    free_disk_mb: int


def of_pilots(job: AnyJob, called: Sequence[Called], banned: set[str]) -> list[Check]:
    """Which fact of the pilots that called of late did not fit. Pure."""
    if not called:
        return [Check(name="pilots", ok=False, fix="start pilots at the site: see its factory",
            words=f"no pilot has called there for {PILOT_HOURS} hours")]  # fmt: skip
    free = [pilot for pilot in called if pilot.node not in banned]
    shut = len(called) - len(free)
    checks = [
        Check(
            name="pilots",
            ok=bool(free),
            words=f"{plural(len(called), 'pilot')} called there within {PILOT_HOURS} hours"
            + (f", {shut} of them on banned nodes" if shut else ""),
            fix="" if free else "lift the bans, or broker the job again",
        )
    ]
    facts: tuple[tuple[str, int, str, Callable[[Called], int]], ...] = (
        ("memory", job.min_ram_count, "MB", lambda pilot: pilot.memory_mb),
        ("disk", job.max_disk_count, "MB", lambda pilot: pilot.free_disk_mb),
        ("CPU speed", job.min_cpu_speed, "MHz", lambda pilot: pilot.cpu_speed_mhz),
    )
    for name, needed, unit, offer in facts:
        if free and needed:
            checks.append(_fact(name, needed, unit, [offer(pilot) for pilot in free]))
    fitting = [p for p in free if all(offer(p) >= needed for _, needed, _, offer in facts)]
    if free and not fitting and all(check.ok for check in checks):
        checks.append(Check(name="all at once", ok=False, fix="ask for less of one of them",
            words="no single pilot offers memory, disk and CPU speed together"))  # fmt: skip
    return checks


def _fact(name: str, needed: int, unit: str, offered: Sequence[int]) -> Check:
    fitting = sum(one >= needed for one in offered)
    best = max(offered)
    words = f"it needs {needed:,} {unit} of {name}, {fitting} of {plural(len(offered), 'pilot')}"
    most = f"; the best has {best:,} {unit}" if not fitting else ""
    fix = f"ask for at most {best:,} {unit}, or broker the job again" if not fitting else ""
    return Check(name=name, ok=bool(fitting), words=f"{words} had as much{most}", fix=fix)


def of_answers(answers: dict[str, int]) -> list[Check]:
    """How its site's pilots were answered. Pure."""
    if not answers:
        return []
    said = Counter(answers).most_common()
    words = ", ".join(f"{n:,} {outcome.replace('_', ' ')}" for outcome, n in said)
    return [Check(name="answers to pilots", ok=None, words=f"within {PILOT_HOURS} hours: {words}")]
