"""Choices written to the database: many bunches in one transaction, set-wise.

Chosen: files that the site lacks go into one `_dis` dataset a bunch, subscribed to the site's
storage (jobs that lack nothing are activated at once). Not chosen: the jobs stay defined with the
reasons; no site anywhere has the release: the jobs fail with brokerage 100.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.db import connection, transaction

from brokerage.models import Site
from brokerage.policy import Choice
from datasets.blocks import Block, send
from jobs import bulk, errors, services
from jobs.applicants import Applicant, files_of
from jobs.blocks import block_for, missing_inputs
from jobs.facts import Facts
from jobs.models import BrokerageDecision, Job
from jobs.states import JobState


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A bunch of like jobs, and what brokerage has to say of them."""

    bunch: Sequence[Applicant]
    choice: Choice

    def news(self) -> list[Applicant]:
        """The jobs that were told something else the last time, or nothing yet."""
        gist = self.choice.fingerprint
        return [job for job in self.bunch if job.gist != gist]

    def __str__(self) -> str:
        return f"jobs {', '.join(str(job.panda_id) for job in self.bunch)}"


def write(decided: Sequence[Decided], facts: Facts, now: dt.datetime) -> int:
    """Write the choices in one transaction; returns how many jobs moved.

    Jobs that are not defined any more, or that somebody else holds, are left out.
    """
    with transaction.atomic():
        free = set(_hold(decided))
        held = list(_those(free, decided))
        placed = _place([one for one in held if one.choice.site is not None], facts, now)
        return placed + _leave([one for one in held if one.choice.site is None], now)


def put_back(decided: Sequence[Decided], now: dt.datetime) -> None:
    """Let bunches that failed wait their turn; rows that are held are not waited for again."""
    with transaction.atomic():
        Job.objects.filter(pk__in=_hold(decided)).update(considered_at=now)


_HOLD = """
SELECT panda_id FROM jobs_job WHERE panda_id = ANY(%s) AND state = 'defined'
ORDER BY panda_id FOR NO KEY UPDATE SKIP LOCKED
"""


def _hold(decided: Iterable[Decided]) -> list[int]:
    """PandaIDs of those that are still defined and that nobody else holds, locked."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [[job.panda_id for one in decided for job in one.bunch]])
        return [panda_id for (panda_id,) in cursor.fetchall()]


def _those(free: set[int], decided: Iterable[Decided]) -> Iterator[Decided]:
    for one in decided:
        jobs = [job for job in one.bunch if job.panda_id in free]
        if jobs:
            yield replace(one, bunch=jobs)


# -- the decisions -----------------------------------------------------------------------------


def _decisions(n_jobs: Counter[Choice], now: dt.datetime) -> dict[Choice, int]:
    """The key of a row for each; bunches that were told word for word the same share one."""
    rows = BrokerageDecision.objects.bulk_create(
        BrokerageDecision(
            at=now,
            site=choice.site or "",
            n_jobs=n,
            detail=choice.as_json(),
            gist=choice.fingerprint,
        )
        for choice, n in n_jobs.items()
    )
    return {choice: row.pk for choice, row in zip(n_jobs, rows, strict=True)}


# -- chosen ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Load:
    """A bunch at its site; `missing` are those of its files that still have to move there."""

    jobs: Sequence[Applicant]
    site: Site
    storage_id: int
    decision: int
    missing: frozenset[int]

    @property
    def lacking(self) -> list[Applicant]:
        return [job for job in self.jobs if not self.missing.isdisjoint(job.files)]


def _place(decided: Sequence[Decided], facts: Facts, now: dt.datetime) -> int:
    loads = _loads(decided, facts, now)
    blocks = {id(load): _block(load) for load in loads if load.missing}
    moved = bulk.assign(
        [one for load in loads for one in _assignments(load, blocks.get(id(load)))], now=now
    )
    keys = dict(zip(blocks, send(list(blocks.values()), now=now), strict=True))
    _mark_inputs((load, keys.get(id(load))) for load in loads)
    return len(moved)


def _loads(decided: Sequence[Decided], facts: Facts, now: dt.datetime) -> list[_Load]:
    n_jobs: Counter[Choice] = Counter()
    for one in decided:
        n_jobs[one.choice] += len(one.bunch)
    decisions = _decisions(n_jobs, now)
    # A site without a storage element takes no job.
    to = [facts.storages[one.choice.site or ""].pk for one in decided]
    files = [files_of(one.bunch) for one in decided]
    missing = missing_inputs((f, se) for se, read in zip(to, files, strict=True) for f in read)
    return [
        _Load(
            jobs=one.bunch,
            site=facts.sites[one.choice.site or ""],
            storage_id=se,
            decision=decisions[one.choice],
            missing=frozenset(f for f in read if (f, se) in missing),
        )
        for one, se, read in zip(decided, to, files, strict=True)
    ]


def _block(load: _Load) -> Block:
    return block_for(load.lacking, load.missing, load.storage_id)


def _assignments(load: _Load, block: Block | None) -> Iterator[bulk.Assignment]:
    for job in load.jobs:
        waits = block is not None and not load.missing.isdisjoint(job.files)
        yield bulk.Assignment(
            panda_id=job.panda_id,
            to=JobState.ASSIGNED if waits else JobState.ACTIVATED,
            site=load.site,
            decision=load.decision,
            dispatch_block=block.name if block is not None and waits else "",
        )


_INPUTS = """
UPDATE jobs_jobfile f SET block_id = coalesce(moves.block, f.block_id),
  status = CASE WHEN moves.block IS NULL THEN 'ready' ELSE f.status END
FROM unnest(%s::bigint[], %s::bigint[]) AS moves(row, block) WHERE f.id = moves.row
"""


def _mark_inputs(loads: Iterable[tuple[_Load, int | None]]) -> None:
    """Input that travels is of the block; what the site has is ready, though the rest is not."""
    rows = [
        (wanted.row, block if wanted.file in load.missing else None)
        for load, block in loads
        for job in load.jobs
        for wanted in job.inputs
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_INPUTS, [list(column) for column in zip(*rows, strict=True)])


# -- not chosen --------------------------------------------------------------------------------

_CONSIDERED = """
UPDATE jobs_job j SET considered_at = %s, decision_id = coalesce(told.decision, j.decision_id)
FROM unnest(%s::bigint[], %s::bigint[]) AS told(panda_id, decision)
WHERE j.panda_id = told.panda_id
"""


def _leave(decided: Sequence[Decided], now: dt.datetime) -> int:
    """Mark them as looked at. A decision that only has other numbers than the last is no news."""
    news = [(job, one.choice) for one in decided for job in one.news()]
    decisions = _decisions(Counter(choice for _, choice in news), now)
    told = {job.panda_id: decisions[choice] for job, choice in news}
    panda_ids = [job.panda_id for one in decided for job in one.bunch]
    if panda_ids:
        with connection.cursor() as cursor:
            cursor.execute(_CONSIDERED, [now, panda_ids, [told.get(pk) for pk in panda_ids]])
    return _give_up([one for one in decided if one.choice.release_nowhere], now)


def _give_up(decided: Iterable[Decided], now: dt.datetime) -> int:
    failed = 0
    for one in decided:
        error = errors.NO_RELEASE.said(f"{one.bunch[0].release}: {one.choice.reason}")
        jobs = Job.objects.filter(pk__in=[job.panda_id for job in one.bunch])
        failed += len(services.fail(jobs, error, actor="brokerage", now=now))
    return failed
