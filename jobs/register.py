"""After the pilot's final word: outputs are registered once, then moved home.

`run` takes each holding job on its own: a finished one gets its files into the catalogue, its
datasets and the replica list of the storage that its pilot wrote to, and goes on to transferring
when they have to travel; a failed one keeps its log and ends. jobs/arrival.py has what follows.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from django.db import DataError, IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from datasets import services as data
from datasets.models import Dataset, File, SiteStorage, StorageElement
from datasets.states import DatasetState
from datasets.subscriptions import subscribe
from jobs import errors, services
from jobs.labels import is_analysis
from jobs.models import Job, JobFile
from jobs.states import JobState
from pandasite.base.errors import Conflict
from pandasite.base.nudge import nudge
from pandasite.base.rounds import Round

log = logging.getLogger(__name__)
BATCH = 1000  # jobs that are read at once


def run(now: dt.datetime) -> int:
    """Register the holding jobs; those that cannot be do not stop the others."""
    work = Round()
    for panda_id in _holding(now):
        if work.over:
            if work.rows:  # it gets on: the next round need not wait for the timetable
                nudge("jobs.register")
            break
        work.do(f"job {panda_id}", partial(register, panda_id, now=now))
    if work.rows:
        nudge("jobs.wake")
    return work.end()


def _holding(now: dt.datetime) -> Iterator[int]:
    """PandaIDs of the jobs with a final word and somewhere to register it, by pages.

    Those that came after the round began have to wait: it would date their end before that.
    """
    at_site = SiteStorage.objects.filter(
        site=OuterRef("computing_site"), role=SiteStorage.Role.LOCAL
    )
    holding = Job.objects.filter(state=JobState.HOLDING, state_change_time__lte=now)
    holding = holding.exclude(verdict="")
    holding = holding.filter(Q(storage__isnull=False) | Exists(at_site))
    last = 0
    while page := list(
        holding.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        yield from page
        last = page[-1]


def register(panda_id: int, *, now: dt.datetime) -> bool:
    """Register one job; False when it is not holding any more, or held up, or somebody else's."""
    with transaction.atomic():
        job = (
            Job.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(pk=panda_id, state=JobState.HOLDING)
            .first()
        )
        if job is None:
            return False
        try:
            with transaction.atomic():
                _settle(job, now)
        except Conflict as conflict:
            # e.g. an output name that already belongs to other content
            log.warning("not_registered", extra={"panda_id": job.pk, "error": conflict.message})
            taken = errors.OUTPUT_NOT_ADDED.said(conflict.message)
            services.fail(Job.objects.filter(pk=job.pk), taken, actor="register", now=now)
        except (StorageElement.DoesNotExist, DataError, IntegrityError) as error:
            # Something to mend at the site or in a name: the job waits, the watchdog has a limit.
            log.error("not_registered", extra={"panda_id": job.pk, "error": str(error)})
            return False
    return True


def _settle(job: Job, now: dt.datetime) -> None:
    here = job.storage or StorageElement.objects.get(
        site_storages__site=job.computing_site_id or 0, site_storages__role="local"
    )
    _register_log(job, here, now)
    if job.verdict == "failed":
        services.fail_as_reported(job, actor="register", now=now)
        return
    outputs = _register_files(job, JobFile.Type.OUTPUT, here, now)
    home = job.destination_se
    if home is None or home == here or not outputs or is_analysis(job.prod_source_label):
        services.must_move(job, JobState.FINISHED, actor="register", now=now)
        return
    _send_home(job, outputs, here, home, now)


def _register_log(job: Job, here: StorageElement, now: dt.datetime) -> None:
    """A log whose name is taken is no reason to lose what the job has made."""
    try:
        _register_files(job, JobFile.Type.LOG, here, now)
    except Conflict as conflict:
        log.warning("log_not_registered", extra={"panda_id": job.pk, "error": conflict.message})
        job.files.filter(type=JobFile.Type.LOG, file=None).update(status=JobFile.Status.FAILED)


def _register_files(
    job: Job, kind: JobFile.Type, here: StorageElement, now: dt.datetime
) -> list[tuple[JobFile, File]]:
    registered = []
    for row in job.files.filter(type=kind, size__isnull=False).select_related("dataset"):
        new = data.NewFile(
            scope=row.scope,
            lfn=row.lfn,
            guid=row.guid,
            size=row.size or 0,
            adler32=row.adler32,
            events=row.events,
        )
        file = data.register_file(new, storage=here, dataset=row.dataset, now=now)
        JobFile.objects.filter(pk=row.pk).update(file=file, status=JobFile.Status.READY)
        registered.append((row, file))
    return registered


def _send_home(
    job: Job,
    outputs: Sequence[tuple[JobFile, File]],
    here: StorageElement,
    home: StorageElement,
    now: dt.datetime,
) -> None:
    """Subscribe the outputs' `_sub` blocks to the destination; the job is transferring."""
    services.must_move(
        job, JobState.TRANSFERRING, actor="register", now=now, reason={"to": home.name}
    )
    parents = {row.pk: (row.dataset or _own_dataset(job, now)).pk for row, _file in outputs}
    blocks = {
        parent.pk: _sub_block(parent, here, home, now) for parent in _locked(parents.values())
    }
    for row, file in outputs:
        block = blocks[parents[row.pk]]
        data.add_files(block, [file])
        JobFile.objects.filter(pk=row.pk).update(block=block, status=JobFile.Status.TRANSFERRING)
    for block in blocks.values():
        subscribe(block, home, activity="production", now=now)


def _own_dataset(job: Job, now: dt.datetime) -> Dataset:
    """For outputs that were declared without one."""
    name = f"panda.output.{job.pk}"
    return data.ensure_datasets([name], type=Dataset.Type.DESTINATION, now=now)[name]


def _locked(parents: Iterable[int]) -> list[Dataset]:
    """The datasets, locked so that two sweeps make one block, not two.

    All at once in the order of their keys, since jobs name them in any order; and with a lock
    that lets others add files to them, as every registration does before it comes here.
    """
    rows = Dataset.objects.filter(pk__in=set(parents)).order_by("pk")
    return list(rows.select_for_update(no_key=True))


def _sub_block(
    parent: Dataset, here: StorageElement, home: StorageElement, now: dt.datetime
) -> Dataset:
    """The open `_sub` block of (dataset, source, destination), made when there is none."""
    block = parent.subs.filter(source=here, destination=home, state=DatasetState.OPEN).first()
    if block is not None:
        return block
    return data.new_dataset(
        _free_name(parent),
        type=Dataset.Type.SUB,
        now=now,
        parent=parent,
        source=here,
        destination=home,
    )


def _free_name(parent: Dataset) -> str:
    """`<parent>_sub0<serial>`; a dataset that somebody else named like that is stepped over."""
    serial = parent.subs.count() + 1
    while Dataset.objects.filter(name=(name := f"{parent.name}_sub0{serial}")).exists():
        serial += 1
    return name
