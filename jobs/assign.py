"""Brokerage rounds: gather the facts once, ask the policy bunch by bunch, write in bulk.

A round:
1. takes defined jobs page by page, those first that were looked at least lately, then by priority:
   jobs that no site can take never stand in the way of those behind them (`jobs.applicants`);
2. cuts a page into bunches of like jobs (at most 20 jobs or 20 files);
3. asks `brokerage.policy` for each bunch, with the facts of the round (`jobs.facts`);
4. writes the choices of a page in one transaction (`jobs.placing`). When the database refuses that
   for a passing reason, each bunch is a transaction: the one that is in the way is logged, and the
   others go on.
`explain` does 3 for one job and writes nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from brokerage.policy import Choice, Needs, choose_from
from brokerage.policy.filters import refusals
from brokerage.policy.verdicts import MAX_VERDICTS
from jobs import placing
from jobs.applicants import Applicant, applicant, files_of, in_bunches, needs_of, pages
from jobs.facts import Facts, gather
from jobs.models import AnyJob, Job
from jobs.placing import Decided
from pandasite.base.nudge import nudge
from pandasite.base.rounds import SECONDS, Round

log = logging.getLogger(__name__)


def run(now: dt.datetime, *, seconds: float = SECONDS) -> int:
    """One round, which begins no other bunch after `seconds`; returns how many jobs it moved.

    Incomplete when another transaction was in the way of some bunch.
    """
    work, facts = Round(seconds=seconds), None
    for page in pages(now):
        facts = facts or gather(now)
        _broker(page, facts, work, now)
        if work.over:
            if work.rows:  # it gets on: the next round need not wait for the timetable
                nudge("jobs.assign")
            break
    return work.end()


def _broker(page: Sequence[Applicant], facts: Facts, work: Round, now: dt.datetime) -> None:
    def write(decided: Sequence[Decided]) -> int:
        return placing.write(decided, facts, now)

    decided = list(_decide(page, facts, work))
    failed = work.together(decided, write)
    if failed:
        placing.put_back(failed, now)
    _tell(decided, failed)


def _tell(decided: Sequence[Decided], failed: Sequence[Decided]) -> None:
    """One line of the log for a page: jobs by the site that was chosen, and those that stay."""
    jobs: Counter[str] = Counter()
    for one in decided:
        if one not in failed:
            jobs[one.choice.site or "none"] += len(one.bunch)
    if news := {site: n for site, n in jobs.items() if site != "none"}:
        log.info("brokered", extra={"jobs": news, "without_site": jobs["none"]})


def _decide(page: Sequence[Applicant], facts: Facts, work: Round) -> Iterator[Decided]:
    """A choice for each bunch, as long as there is time; what it takes counts for the next."""
    bunches = in_bunches(page, facts.grid.limits.bunch_size)
    holdings = facts.holdings([files_of(bunch) for bunch in bunches])
    for bunch, held in zip(bunches, holdings, strict=True):
        choice = choose_from(facts.grid, needs_of(bunch), held=held, keep=MAX_VERDICTS)
        if choice.site is not None:
            facts.grid.took(choice.site, len(bunch))
        yield Decided(bunch=bunch, choice=choice)
        if work.over:
            break


def explain(needs: Needs, *, files: Sequence[int] = (), now: dt.datetime) -> Choice:
    """What brokerage would decide now for such a job; writes nothing.

    `files` are keys of the catalogue's files that the job reads.
    """
    facts = gather(now)
    (held,) = facts.holdings([files])
    return choose_from(facts.grid, needs, held=held)


@dataclass(frozen=True, kw_only=True)
class InFull:
    """A choice, and by site every rule that refuses, as (rule, sentence)."""

    choice: Choice
    refusals: Mapping[str, Sequence[tuple[str, str]]]


def explain_in_full(needs: Needs, *, files: Sequence[int] = (), now: dt.datetime) -> InFull:
    """`explain`, with all that each candidate says."""
    facts = gather(now)
    (held,) = facts.holdings([files])
    choice = choose_from(facts.grid, needs, held=held)
    asked = {verdict.site for verdict in choice.verdicts}
    said = {
        offer.name: refusals(needs.of_each, offer, rules)
        for offer, rules in facts.grid.places()
        if offer.name in asked
    }
    return InFull(choice=choice, refusals=said)


def explain_job(job: Job | AnyJob, *, now: dt.datetime) -> Choice:
    """`explain` for a job that exists, or has ended, as if it were defined now."""
    asking = applicant(job)
    return explain(needs_of([asking]), files=sorted(asking.files), now=now)
