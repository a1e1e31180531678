"""Submission: up to 1,000 jobs in one transaction, all or none, repeatable with a key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from brokerage.models import VO, Cloud, Site
from datasets import services as data
from datasets.models import Dataset, File, StorageElement
from jobs.history import record_birth
from jobs.models import Job, JobFile, SubmitKey, Task
from jobs.outputs import Output, check_outputs
from jobs.states import JobState
from jobs.wake import known_files
from pandasite.base.errors import Unprocessable
from pandasite.base.nudge import nudge

MAX_JOBS = 1000


@dataclass(frozen=True, kw_only=True)
class FileSpec:
    """A file that a job names: input or output, with its dataset ('' = none)."""

    scope: str
    lfn: str
    dataset: str = ""


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One job as submitted and checked: names resolved, ranges kept."""

    fields: dict[str, Any]  # columns of Job
    vo: VO
    cloud: Cloud | None = None
    site: Site | None = None
    destination_se: StorageElement | None = None
    task: str = ""
    input_files: Sequence[FileSpec] = field(default_factory=tuple)
    output_files: Sequence[FileSpec] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """PandaIDs in the order of the submission; replayed = an earlier answer given again."""

    panda_ids: list[int]
    replayed: bool = False


def submit(
    *,
    owner: User,
    specs: Sequence[JobSpec],
    key: str,
    body_sha256: str,
    now: dt.datetime,
) -> Submitted:
    """Create the jobs, their tasks, destination datasets and files in one transaction.

    A repeated key with the same body answers with the jobs of the first time; with another body
    it is refused (`key_reused`).
    """
    with transaction.atomic():
        if key:
            old = _reserve(owner, key, body_sha256, now)
            if old is not None:
                return _replay(old, body_sha256)
        panda_ids = _create(owner, specs, now)
        if key:
            SubmitKey.objects.filter(owner=owner, key=key).update(panda_ids=panda_ids)
    nudge("jobs.wake")
    nudge("jobs.assign")
    return Submitted(panda_ids=panda_ids)


def submitted_before(*, owner: User, key: str, body_sha256: str) -> Submitted | None:
    """The answer that this key had, None when it had none; another body is refused.

    Asked before anything of the body is looked up: a name, a release or a right that has gone
    since then does not undo a submission.
    """
    row = SubmitKey.objects.filter(owner=owner, key=key).first() if key else None
    return None if row is None else _replay(row, body_sha256)


def _replay(row: SubmitKey, body_sha256: str) -> Submitted:
    if row.body_sha256 != body_sha256:
        raise Unprocessable(
            f"the idempotency key {row.key} was used for another submission", code="key_reused"
        )
    return Submitted(panda_ids=row.panda_ids, replayed=True)


def _reserve(owner: User, key: str, body_sha256: str, now: dt.datetime) -> SubmitKey | None:
    """The row of an earlier submission with this key, None when this is the first.

    A second one at the same time waits here until the first has committed.
    """
    row, made = SubmitKey.objects.get_or_create(
        owner=owner, key=key, defaults={"body_sha256": body_sha256, "created_at": now}
    )
    return None if made else row


def _create(owner: User, specs: Sequence[JobSpec], now: dt.datetime) -> list[int]:
    check_outputs(
        [
            Output(f"jobs[{i}].output_files[{k}]", f.scope, f.lfn, f.dataset)
            for i, spec in enumerate(specs)
            for k, f in enumerate(spec.output_files)
        ]
    )
    tasks = _tasks(owner, specs, now)
    datasets = _datasets(specs, now)
    files = known_files((f.scope, f.lfn) for spec in specs for f in spec.input_files)
    jobs = [_job(spec, owner, tasks, files, now) for spec in specs]
    Job.objects.bulk_create(jobs, batch_size=500)
    JobFile.objects.bulk_create(
        (
            row
            for job, spec in zip(jobs, specs, strict=True)
            for row in _files(job, spec, datasets, files)
        ),
        batch_size=2000,
    )
    record_birth(jobs, actor=owner.get_username(), reason={})
    return [job.pk for job in jobs]


def _tasks(owner: User, specs: Sequence[JobSpec], now: dt.datetime) -> dict[str, Task]:
    """By what the jobs call them: a name makes the task when it is new, an ID is that of one."""
    called = {spec.task for spec in specs if spec.task}
    ids = {int(word) for word in called if word.isascii() and word.isdecimal() and len(word) < 19}
    known = {str(task.pk): task for task in Task.objects.filter(owner=owner, pk__in=ids)}
    first = {spec.task: spec for spec in reversed(specs) if spec.task in called - known.keys()}
    Task.objects.bulk_create(
        [
            Task(
                name=name,
                owner=owner,
                vo=spec.vo,
                working_group=spec.fields.get("working_group", ""),
                processing_type=spec.fields.get("processing_type", ""),
                created_at=now,
            )
            for name, spec in sorted(first.items())  # two submissions wait in one order
        ],
        ignore_conflicts=True,
    )
    return known | {task.name: task for task in Task.objects.filter(owner=owner, name__in=first)}


def _datasets(specs: Sequence[JobSpec], now: dt.datetime) -> dict[str, Dataset]:
    """By name, made where they are missing; one that jobs write into becomes a destination."""
    outputs = {f.dataset for spec in specs for f in spec.output_files if f.dataset}
    inputs = {f.dataset for spec in specs for f in spec.input_files if f.dataset} - outputs
    made = data.ensure_datasets(outputs, type=Dataset.Type.DESTINATION, now=now)
    data.promote_to_destinations(outputs)
    # An input dataset may be one that other jobs are still going to fill: made here, empty.
    return made | data.ensure_datasets(inputs, type=Dataset.Type.INPUT, now=now)


def _job(
    spec: JobSpec,
    owner: User,
    tasks: dict[str, Task],
    files: dict[tuple[str, str], File],
    now: dt.datetime,
) -> Job:
    known = all((f.scope, f.lfn) in files for f in spec.input_files)
    return Job(
        **spec.fields,
        owner=owner,
        prod_user_id=owner.get_username(),
        vo=spec.vo,
        task=tasks.get(spec.task),
        cloud=spec.cloud or (spec.site.cloud if spec.site else None),
        cloud_fixed=spec.cloud is not None,
        computing_site=spec.site,
        site_fixed=spec.site is not None,
        destination_se=spec.destination_se,
        current_priority=spec.fields["assigned_priority"],
        prod_d_block=_first_dataset(spec.input_files),
        destination_d_block=_first_dataset(spec.output_files),
        state=JobState.DEFINED if known else JobState.WAITING,
        event_seq=1,
        creation_time=now,
        queued_since=now,
        state_change_time=now,
        modification_time=now,
    )


def _first_dataset(files: Sequence[FileSpec]) -> str:
    return next((f.dataset for f in files if f.dataset), "")


def _files(
    job: Job,
    spec: JobSpec,
    datasets: dict[str, Dataset],
    files: dict[tuple[str, str], File],
) -> Iterable[JobFile]:
    for kind, named in (
        (JobFile.Type.INPUT, spec.input_files),
        (JobFile.Type.OUTPUT, spec.output_files),
    ):
        for f in named:
            yield JobFile(
                job=job,
                type=kind,
                scope=f.scope,
                lfn=f.lfn,
                dataset=datasets.get(f.dataset),
                file=files.get((f.scope, f.lfn)) if kind == JobFile.Type.INPUT else None,
            )
