"""PandaMover: transfers of the channels that a rule names are made by `ddm` jobs.

A round settles the jobs that have ended, kills those that take too long, and makes new ones for
what is queued, as many as each channel may have (moverload.py).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from datasets import handover
from datasets.ddm import arrivals
from jobs import moverload, services
from jobs.models import AnyJob, Job, Move
from jobs.states import FINAL, LEASED, QUEUED, JobState
from pandasite.base.errors import Conflict, NotThere
from pandasite.base.rounds import Round

log = logging.getLogger(__name__)

ACTOR = "mover"
BATCH = 1000  # moves settled, and jobs killed, per round


def run(now: dt.datetime) -> int:
    """One round; how many transfers were settled or handed to jobs."""
    work = Round()
    work.do("ended jobs", partial(settle, now=now))
    for job in _too_long(now):
        if work.over:
            break
        work.do(f"job {job.pk}", partial(_kill, job, now))
    work.do("new jobs", partial(moverload.load, now=now))
    return work.end()


# -- what has ended ----------------------------------------------------------------------------


def settle(*, now: dt.datetime) -> int:
    """Book what the jobs brought; what they did not bring goes back to be tried again."""
    ended = _ended()
    if not ended:
        return 0
    with transaction.atomic():
        moves = list(
            Move.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(panda_id__in=ended, settled_at=None)
            .select_related("transfer__file")
            .order_by("pk")
        )
        brought = [one for one in moves if ended[one.panda_id][0] == JobState.FINISHED]
        lost = [one for one in moves if ended[one.panda_id][0] != JobState.FINISHED]
        _book(brought, now=now)
        handover.give_back({m.transfer_id: ended[m.panda_id][1] for m in lost}, now=now)
        _close(brought, "brought", now)
        _close(lost, "given back", now)
    return len(moves)


def _ended() -> dict[int, tuple[str, str]]:
    """(state, what went wrong) by PandaID of jobs that have ended, or are gone."""
    open_ = Move.objects.filter(settled_at=None).order_by("panda_id")
    panda_ids = list(open_.values_list("panda_id", flat=True).distinct()[: 10 * BATCH])
    live = set(
        Job.objects.filter(pk__in=panda_ids).exclude(state__in=FINAL).values_list("pk", flat=True)
    )
    over = [panda_id for panda_id in panda_ids if panda_id not in live][:BATCH]
    found = {job.pk: (job.state, _trouble(job)) for job in AnyJob.objects.filter(pk__in=over)}
    gone = (JobState.FAILED, "its mover job is gone")
    return {panda_id: found.get(panda_id, gone) for panda_id in over}


def _trouble(job: AnyJob) -> str:
    said = "; ".join(diag for _component, _code, diag in job.errors() if diag)
    return f"mover job {job.pk} {job.state}: {said or 'no reason given'}"[:1000]


def _book(moves: Sequence[Move], *, now: dt.datetime) -> None:
    """Only what is still under way: a file that came otherwise meanwhile is there already."""
    arrivals.arrived(
        {(m.transfer.file_id, m.destination_id): m.transfer.file.size for m in moves}, now=now
    )


def _close(moves: Sequence[Move], outcome: str, now: dt.datetime) -> None:
    keys = [one.pk for one in moves]
    Move.objects.filter(pk__in=keys).update(settled_at=now, outcome=outcome[:9])


# -- what takes too long -----------------------------------------------------------------------


def _too_long(now: dt.datetime) -> list[Job]:
    running = now - dt.timedelta(hours=settings.PANDASITE["MOVER_RUNNING_HOURS"])
    waiting = now - dt.timedelta(hours=settings.PANDASITE["MOVER_WAITING_HOURS"])
    open_ = Move.objects.filter(settled_at=None).values("panda_id")
    late = Q(state__in=LEASED, state_change_time__lt=running, command="") | Q(
        state__in=QUEUED, creation_time__lt=waiting
    )
    return list(Job.objects.filter(late, pk__in=open_).order_by("pk")[:BATCH])


def _kill(job: Job, now: dt.datetime) -> int:
    hours = "MOVER_RUNNING_HOURS" if job.state in LEASED else "MOVER_WAITING_HOURS"
    reason = f"{job.state} for more than {settings.PANDASITE[hours]} h"
    try:
        services.kill(job.pk, actor=ACTOR, reason=reason, now=now)
    except (Conflict, NotThere) as error:
        log.info("mover_not_killed", extra={"panda_id": job.pk, "error": str(error)})
        return 0
    return 1
