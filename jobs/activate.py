"""The activation sweep: it alone says that a job's input has arrived, by looking.

The end of a transfer only nudges it. Jobs whose input can never come (no good source is left)
fail with ddm 100 and the reason of the transfer. All other jobs whose files nobody is moving get
their transfers again, after a pause that grows with each failure; the watchdog has a limit.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef

from datasets import demand
from datasets.models import Replica, SiteStorage, StorageElement, Transfer
from datasets.states import ACTIVE_TRANSFERS
from jobs import errors, services
from jobs.models import Job, JobFile
from jobs.states import JobState

BATCH = 5000  # jobs per round

# At the site means: at the one storage element that the pilot is told.
_REPLICA_AT_SITE = Replica.objects.filter(
    file=OuterRef("file"),
    state=Replica.State.AVAILABLE,
    storage__site_storages__site=OuterRef("job__computing_site"),
    storage__site_storages__role=SiteStorage.Role.LOCAL,
)
_MISSING = JobFile.objects.filter(type=JobFile.Type.INPUT).filter(~Exists(_REPLICA_AT_SITE))


def run(now: dt.datetime) -> int:
    """Activate what is complete, fail what is hopeless, ask again for the rest."""
    assigned = Job.objects.filter(state=JobState.ASSIGNED)
    complete = assigned.filter(~Exists(_MISSING.filter(job=OuterRef("pk"))))
    ready = list(complete.order_by("pk").values_list("pk", flat=True)[:BATCH])
    moved = services.activate(ready, now=now) if ready else []
    return len(moved) + _settle_stuck(now)


def _settle_stuck(now: dt.datetime) -> int:
    """Assigned jobs that miss a file which nobody is moving to them."""
    moving = Transfer.objects.filter(
        file=OuterRef("file"),
        destination__site_storages__site=OuterRef("job__computing_site"),
        destination__site_storages__role=SiteStorage.Role.LOCAL,
        state__in=ACTIVE_TRANSFERS,
    )
    stuck = (
        _MISSING.filter(job__state=JobState.ASSIGNED)
        .filter(~Exists(moving))
        .select_related("job", "file")
        .order_by("job", "pk")[:BATCH]
    )
    failed: set[int] = set()
    for wanted in stuck:
        if wanted.job_id not in failed and _fail_or_ask_again(wanted, now):
            failed.add(wanted.job_id)
    return len(failed)


def _fail_or_ask_again(wanted: JobFile, now: dt.datetime) -> bool:
    """True when the job was failed because its input cannot come."""
    job, file = wanted.job, wanted.file
    here = StorageElement.objects.filter(
        site_storages__site=job.computing_site, site_storages__role=SiteStorage.Role.LOCAL
    ).first()
    if file is None or here is None:
        return False  # nothing to ask for: the watchdog's limit, or an administrator, decides
    given_up = demand.ask_again(file, here, since=job.state_change_time, now=now)
    if given_up is None:
        return False
    error = errors.INPUT_FAILED.said(f"{wanted.scope}:{wanted.lfn}: {given_up.error}")
    mine = Job.objects.filter(pk=job.pk)
    return bool(services.fail(mine, error, actor="ddm", now=now, only_from=[JobState.ASSIGNED]))
