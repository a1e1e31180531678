"""The activation sweep: it alone says that a job's input has arrived, by looking.

The end of a transfer only nudges it. Jobs whose input can never come (no good source is left)
fail with ddm 100 and the reason of the transfer. All other jobs whose files nobody is moving get
their transfers again, after a pause that grows with each failure; the watchdog has a limit.

A round looks at the jobs for which a transfer has ended since the last one, and at a part of all
the others (base/patrol.py): its cost does not grow with the jobs that wait.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial

from django.db.models import Exists, OuterRef, QuerySet

from datasets import demand
from datasets.models import Replica, SiteStorage, StorageElement, Transfer
from datasets.states import ACTIVE_TRANSFERS
from jobs import errors, services
from jobs.models import Job, JobFile
from jobs.states import JobState
from pandasite.base.patrol import PART, patrol
from pandasite.base.rounds import Round

# At the site means: at the one storage element that the pilot is told.
_REPLICA_AT_SITE = Replica.objects.filter(
    file=OuterRef("file"),
    state=Replica.State.AVAILABLE,
    storage__site_storages__site=OuterRef("job__computing_site"),
    storage__site_storages__role=SiteStorage.Role.LOCAL,
)
_MISSING = JobFile.objects.filter(type=JobFile.Type.INPUT).filter(~Exists(_REPLICA_AT_SITE))


_ASSIGNED = Job.objects.filter(state=JobState.ASSIGNED)


def run(now: dt.datetime) -> int:
    """Activate what is complete, fail what is hopeless, ask again for the rest."""
    return patrol("jobs.activate", _ASSIGNED, news=_with_news, look=_look_at, now=now)


def _with_news(since: dt.datetime) -> QuerySet[JobFile, int]:
    """PandaIDs: a transfer of a file that they wait for has ended, well or not."""
    wanted = JobFile.objects.filter(type=JobFile.Type.INPUT, status=JobFile.Status.PENDING)
    ended = wanted.filter(file__transfers__ended_at__gte=since, job__state=JobState.ASSIGNED)
    return ended.values_list("job", flat=True).order_by()


def _look_at(work: Round, panda_ids: Sequence[int], now: dt.datetime) -> bool:
    """Whether there was time for all of the jobs."""
    work.together(
        panda_ids, partial(_activate_complete, now=now), name=lambda panda_id: f"job {panda_id}"
    )
    failed: set[int] = set()
    stuck = _stuck(panda_ids)
    for wanted in stuck:
        if wanted.job_id not in failed:
            work.do(f"job {wanted.job_id}", partial(_fail_or_ask_again, wanted, failed, now))
        if work.over:
            return False
    return len(stuck) < PART


def _activate_complete(panda_ids: Sequence[int], *, now: dt.datetime) -> int:
    complete = _ASSIGNED.filter(~Exists(_MISSING.filter(job=OuterRef("pk"))), pk__in=panda_ids)
    ready = list(complete.order_by("pk").values_list("pk", flat=True))
    return len(services.activate(ready, now=now)) if ready else 0


def _stuck(panda_ids: Sequence[int]) -> list[JobFile]:
    """Files that the jobs miss and nobody is moving to them.

    Jobs of a site without a storage element have nothing to ask for: the watchdog's limit, or an
    administrator, decides.
    """
    moving = Transfer.objects.filter(
        file=OuterRef("file"),
        destination__site_storages__site=OuterRef("job__computing_site"),
        destination__site_storages__role=SiteStorage.Role.LOCAL,
        state__in=ACTIVE_TRANSFERS,
    )
    stuck = _MISSING.filter(
        ~Exists(moving),
        job__in=panda_ids,
        job__state=JobState.ASSIGNED,
        job__computing_site__site_storages__role=SiteStorage.Role.LOCAL,
        file__isnull=False,
    )
    return list(stuck.select_related("job", "file").order_by("job", "pk")[:PART])


def _fail_or_ask_again(wanted: JobFile, failed: set[int], now: dt.datetime) -> int:
    """1 when the job was failed because its input can never come; it is in `failed` then."""
    job, file = wanted.job, wanted.file
    here = StorageElement.objects.filter(
        site_storages__site=job.computing_site, site_storages__role=SiteStorage.Role.LOCAL
    ).first()
    if file is None or here is None:
        return 0
    given_up = demand.ask_again(file, here, since=job.state_change_time, now=now)
    if given_up is None:
        return 0
    error = errors.INPUT_FAILED.said(f"{wanted.scope}:{wanted.lfn}: {given_up.error}")
    mine = Job.objects.filter(pk=job.pk)
    failed.add(job.pk)
    return len(services.fail(mine, error, actor="ddm", now=now, only_from=[JobState.ASSIGNED]))
