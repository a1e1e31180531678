"""Submission: up to 1,000 jobs in one transaction, all or none, repeatable with a key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.contrib.auth.models import User
from django.db import transaction

from datasets import services as data
from datasets.models import Dataset
from jobs.history import record_births
from jobs.models import Job, SubmitKey, Task
from jobs.outputs import Output, promise
from jobs.rows import FileSpec, JobSpec, Known, write_files, write_jobs
from jobs.states import JobState
from jobs.wake import known_files
from pandasite.base.copying import reserve_keys
from pandasite.base.errors import Unprocessable
from pandasite.base.nudge import nudge

__all__ = ["MAX_JOBS", "FileSpec", "JobSpec", "Submitted", "create", "submit", "submitted_before"]

MAX_JOBS = 1000


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """PandaIDs in the order of the submission, and the states that the jobs were born in.

    replayed: an earlier answer given again, which knows no states.
    """

    panda_ids: list[int]
    states: Sequence[JobState] = ()
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
        submitted = create(owner=owner, specs=specs, now=now)
        if key:
            kept = SubmitKey.objects.filter(owner=owner, key=key)
            kept.update(panda_ids=submitted.panda_ids)
    return submitted


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


def create(*, owner: User, specs: Sequence[JobSpec], now: dt.datetime) -> Submitted:
    """Insert everything, in a transaction of the caller's, who knows how not to do it twice.

    Who waits for somebody waits in this order: tasks, datasets, names.
    """
    known = Known(
        tasks=_tasks(owner, specs, now),
        datasets=_datasets(specs, owner, now),
        files=known_files((f.scope, f.lfn) for spec in specs for f in spec.input_files),
    )
    panda_ids = reserve_keys(Job, len(specs))
    promise(
        lambda: write_files(specs, panda_ids, known=known),
        panda_ids=panda_ids,
        into=[known.datasets[name] for name in _named(specs, "output_files")],
        outputs=lambda: _outputs(specs),
    )
    states = write_jobs(specs, panda_ids, owner=owner, known=known, now=now)
    record_births(panda_ids, states, actor=owner.get_username(), now=now)
    nudge("jobs.wake")
    nudge("jobs.assign")
    return Submitted(panda_ids=panda_ids, states=states)


def _outputs(specs: Sequence[JobSpec]) -> list[Output]:
    return [
        Output(f"jobs[{i}].output_files[{k}]", f.scope, f.lfn, f.dataset)
        for i, spec in enumerate(specs)
        for k, f in enumerate(spec.output_files)
    ]


def _named(specs: Sequence[JobSpec], kind: Literal["input_files", "output_files"]) -> set[str]:
    """The datasets of files of this kind."""
    return {f.dataset for spec in specs for f in getattr(spec, kind) if f.dataset}


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


def _datasets(specs: Sequence[JobSpec], owner: User, now: dt.datetime) -> dict[str, Dataset]:
    """By name, made where they are missing; one that jobs write into becomes a destination."""
    outputs = _named(specs, "output_files")
    # An input dataset may be one that other jobs are still going to fill: made here, empty.
    types = dict.fromkeys(_named(specs, "input_files"), Dataset.Type.INPUT)
    types |= dict.fromkeys(outputs, Dataset.Type.DESTINATION)
    made = data.ensure_typed(types, now=now, owner=owner)
    data.promote_to_destinations(outputs)
    return made
