"""Transferring jobs end when all their outputs are home.

A round looks at the jobs for which a transfer has ended since the last one, and at a part of all
the others (base/patrol.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from datasets import demand
from datasets.models import Replica, Transfer
from datasets.states import ACTIVE_TRANSFERS
from jobs import errors, services
from jobs.models import Job, JobFile
from jobs.states import JobState
from pandasite.base.patrol import PART, patrol
from pandasite.base.rounds import Round

_TRANSFERRING = Job.objects.filter(state=JobState.TRANSFERRING)
_ARRIVED = Replica.objects.filter(
    file=OuterRef("file"),
    storage=OuterRef("block__destination"),
    state=Replica.State.AVAILABLE,
)
_TRAVELS = JobFile.objects.filter(type=JobFile.Type.OUTPUT, status=JobFile.Status.TRANSFERRING)
_UNDERWAY = _TRAVELS.filter(~Exists(_ARRIVED))


def run(now: dt.datetime) -> int:
    """Finish transferring jobs whose outputs have all arrived; fail those whose never can."""
    return patrol("jobs.complete_transfers", _TRANSFERRING, news=_with_news, look=_look_at, now=now)


def _with_news(since: dt.datetime) -> QuerySet[JobFile, int]:
    """PandaIDs: a transfer of an output has ended, well or not."""
    ended = _TRAVELS.filter(file__transfers__ended_at__gte=since, job__state=JobState.TRANSFERRING)
    return ended.values_list("job", flat=True).order_by()


def _look_at(work: Round, panda_ids: Sequence[int], now: dt.datetime) -> bool:
    """Whether there was time for all of the jobs."""
    work.together(
        panda_ids, partial(_finish_arrived, now=now), name=lambda panda_id: f"job {panda_id}"
    )
    stuck = _stuck(panda_ids)
    for row in stuck:
        work.do(f"job {row.job_id}", partial(_fail_or_ask_again, row, now))
        if work.over:
            return False
    return len(stuck) < PART


def _finish_arrived(panda_ids: Sequence[int], *, now: dt.datetime) -> int:
    arrived = _TRANSFERRING.filter(~Exists(_UNDERWAY.filter(job=OuterRef("pk"))), pk__in=panda_ids)
    with transaction.atomic():
        moved = services.move(arrived, JobState.FINISHED, actor="ddm", now=now)
        JobFile.objects.filter(job__in=moved, status=JobFile.Status.TRANSFERRING).update(
            status=JobFile.Status.READY
        )
    return len(moved)


def _stuck(panda_ids: Sequence[int]) -> list[JobFile]:
    """Outputs that nobody is moving: no source left -> the job fails; else asked for again."""
    moving = Transfer.objects.filter(
        file=OuterRef("file"),
        destination=OuterRef("block__destination"),
        state__in=ACTIVE_TRANSFERS,
    )
    stuck = _UNDERWAY.filter(
        ~Exists(moving),
        job__in=panda_ids,
        job__state=JobState.TRANSFERRING,
        file__isnull=False,
        block__destination__isnull=False,
    )
    return list(stuck.select_related("job", "file", "block__destination")[:PART])


def _fail_or_ask_again(row: JobFile, now: dt.datetime) -> int:
    if row.block is None or row.block.destination is None or row.file is None:
        return 0
    since = row.job.state_change_time
    given_up = demand.ask_again(row.file, row.block.destination, since=since, now=now)
    if given_up is None:
        return 0
    error = errors.OUTPUT_NOT_ADDED.said(f"{row.scope}:{row.lfn}: {given_up.error}")
    return len(services.fail(Job.objects.filter(pk=row.job_id), error, actor="ddm", now=now))
