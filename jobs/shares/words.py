"""What limits a job, a user or a task, as sentences. Pure: facts in, sentences out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.quotas import Standing
from jobs.shares.formula import user_priority


@dataclass(frozen=True, kw_only=True)
class ShareFacts:
    """The leaf that jobs belong to: cores it has and should have, and jobs that wait in it."""

    name: str
    used: int
    target: float
    waiting: int


@dataclass(frozen=True, kw_only=True)
class LimitFacts:
    """What is known of jobs of one user and group; of a single job its priorities too."""

    standings: Sequence[Standing] = ()  # of the user and the group, as far as they have a quota
    analysis: bool = False
    user: str = ""
    jobs: int = 0  # queued and active, of the user
    share: ShareFacts | None = None
    in_a_share: bool = True
    given: tuple[int, int] | None = None  # a lifted priority, and the job's own
    by_hand: int | None = None


def sentences(facts: LimitFacts) -> list[str]:
    """What holds such jobs back, or puts them first; the hardest comes first."""
    return [*_quotas(facts), *_share(facts), *_priority(facts)]


def waits_for(standings: Sequence[Standing]) -> str:
    """The sentence of a hard limit that is reached; empty when there is none."""
    over = next((one for one in standings if one.waits), None)
    return f"{_capital(over.words)}, which is a hard limit: the jobs wait." if over else ""


def _quotas(facts: LimitFacts) -> Iterator[str]:
    if hard := waits_for(facts.standings):
        yield hard
        return
    for one in facts.standings:
        if one.overused:
            yield f"{_capital(one.words)}: priorities are {round(100 * one.overused):,} lower."


def _share(facts: LimitFacts) -> Iterator[str]:
    if not facts.in_a_share:
        yield "In no share: they go by their own priorities."
    share = facts.share
    if share is None:
        return
    cores = f"Share {share.name} has {share.used:,} cores and should have {share.target:,.0f}"
    if share.used > share.target + 0.5:
        yield f"{cores}: jobs of other shares go first."
    elif share.used < share.target - 0.5 and share.waiting:
        yield f"{cores}: its jobs go before those of other shares."
    else:
        yield f"{cores}: it has what it can use."


def _priority(facts: LimitFacts) -> Iterator[str]:
    if facts.by_hand is not None:
        yield f"The priority {facts.by_hand:,} was set by hand: shares and quotas leave it alone."
        return
    if facts.analysis:
        offset = sum(one.offset for one in facts.standings)
        overused = max((one.overused for one in facts.standings), default=0.0)
        priority = user_priority(offset=offset, jobs=facts.jobs, overused=overused)
        extra = f" {offset:+,} by quota," if offset else ""
        yield (
            f"User {facts.user} has {facts.jobs:,} jobs queued and active, each fifth of which"
            f" costs 1 of 1,000 points:{extra} priority {priority:,}."
        )
    if facts.given is not None:
        given, own = facts.given
        yield f"Its turn is near: it has priority {given:,} for that, its own is {own:,}."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
