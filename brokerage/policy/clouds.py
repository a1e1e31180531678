"""Task brokerage: which cloud a production task is given to, and why not the others.

Pure, like the choice of a site: facts in, choice out; chance comes as a generator that the caller
has seeded, or not. The rules are those of 2009 (docs/brokerage.md, "Tasks to clouds"). Work is
counted in jobs that are still to be done, space in GB.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from .needs import plain
from .tasks import CloudOffer, TaskNeeds

FASTTRACK_PRIORITY = 700  # event generation above it goes to fast-track clouds
GB_PER_JOB = 0.2  # space that a job still to be done will take at the Tier-1
MOST_PER_SHARE = 2000  # remaining work, by the share of the cloud, above which it takes no more
LEAST_PER_SHARE = 200  # and below which it comes before all others


class CloudVerdict(NamedTuple):
    """What became of one cloud, in a sentence. `weight`: its part of the draw, if it had one."""

    cloud: str
    accepted: bool
    reason: str
    rule: str = ""
    weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CloudChoice:
    """The outcome. `chosen` '' : no cloud may take it. `draw`: the number drawn, from 0 to 1."""

    chosen: str
    verdicts: tuple[CloudVerdict, ...]
    gist: str
    draw: float | None = None


Rule = Callable[[TaskNeeds, CloudOffer], str | None]


def named(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """Production may name the cloud."""
    if not needs.cloud or needs.cloud == offer.name:
        return None
    return f"the request names cloud {needs.cloud}"


def status(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """Clouds that are offline take no tasks."""
    if offer.status == "online":
        return None
    because = f" ({offer.status_reason})" if offer.status_reason else ""
    return f"the cloud is {offer.status}{because}"


def validation(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """Validation goes to clouds that are open for it."""
    if not needs.validation or needs.cloud or offer.validation:
        return None
    return "it is a validation task, and this is no validation cloud"


def fasttrack(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """Urgent event generation goes to fast-track clouds."""
    urgent = needs.processing_type == "evgen" and needs.priority > FASTTRACK_PRIORITY
    if not urgent or needs.cloud or offer.fasttrack:
        return None
    return (
        f"event generation of priority {needs.priority}, above {FASTTRACK_PRIORITY},"
        " goes to fast-track clouds, and this is none"
    )


def inputs(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """The input dataset must be at the Tier-1, as far as anything of it is anywhere."""
    if not needs.input_files or needs.cloud or offer.held_files:
        return None
    where = f"its Tier-1 {offer.tier1}" if offer.tier1 else "it: the cloud has no Tier-1"
    return f"none of the {needs.input_files:,} files of {needs.input_dataset} is at {where}"


def space(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """What is free at the Tier-1, less what the work to come will take."""
    if offer.free_gb is None:
        return None
    work = offer.all_work + needs.jobs
    left = offer.free_gb - work * GB_PER_JOB
    if left >= offer.threshold_gb:
        return None
    return (
        f"its Tier-1 has {plain(offer.free_gb)} GB free, less {plain(work * GB_PER_JOB)} GB for"
        f" {work:,} jobs to come leaves {plain(left)} GB, and {plain(offer.threshold_gb)} must be"
    )


def load(needs: TaskNeeds, offer: CloudOffer) -> str | None:
    """A cloud that has enough to do for its share takes no more of that group."""
    ahead, most = offer.ahead_of(needs), MOST_PER_SHARE * offer.share
    if needs.cloud or ahead <= most:
        return None
    return (
        f"{ahead:,} jobs of {needs.group} at priority {needs.priority} or above are to be done"
        f" there, more than {MOST_PER_SHARE:,} x its share {offer.share} = {most:,}"
    )


RULES: tuple[Rule, ...] = (named, status, validation, fasttrack, inputs, space, load)


def choose_cloud(needs: TaskNeeds, offers: Iterable[CloudOffer], chance: Random) -> CloudChoice:
    """Ask each cloud, keep those that hold most of the input, prefer idle ones, and draw."""
    given = sorted(offers, key=lambda offer: offer.name)
    refused = {offer.name: verdict for offer in given if (verdict := _refusal(needs, offer))}
    left = [offer for offer in given if offer.name not in refused]
    left = _nearest(needs, left, refused)
    left = _idle(needs, left, refused)
    draw = chance.random() if left else None
    weights = _weights(needs, left)
    chosen = _drawn(left, weights, draw)
    for offer, weight in zip(left, weights, strict=True):
        reason = _in_words(needs, offer, weight)
        refused[offer.name] = CloudVerdict(offer.name, True, reason, weight=weight)
    verdicts = tuple(refused[offer.name] for offer in given)
    return CloudChoice(
        chosen=chosen, verdicts=verdicts, gist=_gist(needs, chosen, left, draw), draw=draw
    )


def _refusal(needs: TaskNeeds, offer: CloudOffer) -> CloudVerdict | None:
    for rule in RULES:
        if reason := rule(needs, offer):
            return CloudVerdict(offer.name, False, reason, rule=rule.__name__)
    return None


def _nearest(
    needs: TaskNeeds, offers: Sequence[CloudOffer], refused: dict[str, CloudVerdict]
) -> list[CloudOffer]:
    """Those whose Tier-1 holds the most files of the input."""
    most = max((offer.held_files for offer in offers), default=0)
    for offer in offers:
        if offer.held_files < most:
            reason = (
                f"its Tier-1 holds {offer.held_files:,} of {needs.input_files:,} input files,"
                f" others {most:,}"
            )
            refused[offer.name] = CloudVerdict(offer.name, False, reason, rule="locality")
    return [offer for offer in offers if offer.held_files == most]


def _idle(
    needs: TaskNeeds, offers: Sequence[CloudOffer], refused: dict[str, CloudVerdict]
) -> list[CloudOffer]:
    """Those with hardly any work for their share, if there are such: they come first."""
    idle = [o for o in offers if o.ahead_of(needs) < LEAST_PER_SHARE * o.share]
    if not idle:
        return list(offers)
    names = {offer.name for offer in idle}
    for offer in offers:
        if offer.name not in names:
            reason = (
                f"{offer.ahead_of(needs):,} jobs of {needs.group} are to be done there; first come"
                f" clouds with fewer than {LEAST_PER_SHARE} x their share:"
                f" {', '.join(sorted(names))}"
            )
            refused[offer.name] = CloudVerdict(offer.name, False, reason, rule="idle_first")
    return idle


def _weights(needs: TaskNeeds, offers: Sequence[CloudOffer]) -> list[float]:
    """By share for event generation, else by pilots for the work there is; all alike if all 0."""
    if needs.processing_type == "evgen":
        weights = [float(offer.share) for offer in offers]
    else:
        weights = [offer.pilots / (1 + offer.all_work) for offer in offers]
    return weights if any(weights) else [1.0] * len(weights)


def _drawn(offers: Sequence[CloudOffer], weights: Sequence[float], draw: float | None) -> str:
    if draw is None:
        return ""
    point = draw * sum(weights)
    for offer, weight in zip(offers, weights, strict=True):
        point -= weight
        if point < 0:
            return offer.name
    return [o.name for o, weight in zip(offers, weights, strict=True) if weight][-1]


def _in_words(needs: TaskNeeds, offer: CloudOffer, weight: float) -> str:
    if needs.processing_type == "evgen":
        return f"can take it: weight {plain(weight)}, its share {offer.share}"
    return (
        f"can take it: weight {plain(weight)}, {offer.pilots:,} nodes with pilots"
        f" for {offer.all_work:,} jobs to be done"
    )


def _gist(needs: TaskNeeds, chosen: str, left: Sequence[CloudOffer], draw: float | None) -> str:
    if not chosen:
        return "no cloud may take it: each says why"
    if needs.cloud:
        return f"cloud {chosen}, as the request says"
    if len(left) == 1:
        return f"cloud {chosen}, the only one that may take it"
    return f"cloud {chosen}, drawn among {len(left)} ({draw:.3f} of 1)"


def best_home(needs: TaskNeeds, offers: Iterable[CloudOffer]) -> CloudOffer | None:
    """Where the input of a simulation is to be brought when no Tier-1 has it: the least loaded.

    None when it is no simulation, or none of them has both little work and space.
    """
    if needs.processing_type != "simul" or not needs.input_files:
        return None
    there = replace(needs, input_files=0)
    good = [
        offer
        for offer in offers
        if offer.tier1
        and offer.ahead_of(needs) < LEAST_PER_SHARE * offer.share
        and not _refusal(there, offer)
    ]
    return min(good, key=lambda offer: (offer.ahead_of(needs), offer.name), default=None)
