"""The rows of new jobs, of their files and of the first events, written by COPY."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, cast

from django.contrib.auth.models import User
from django.db import models

from brokerage.models import VO, Cloud, Site
from datasets.models import Dataset, StorageElement
from jobs.models import Job, JobFile, Task
from jobs.states import JobState
from pandasite.base.copying import NewRows, reserve_keys

# What a submission says of a job in the words of its columns; what it leaves out has a default.
SAID: dict[str, Any] = {
    name: cast("models.Field[Any, Any]", Job._meta.get_field(name)).get_default()
    for name in (
        "job_name", "job_definition_id", "prod_source_label", "processing_type",
        "transformation", "job_parameters", "atlas_release", "homepackage", "cmt_config",
        "working_group", "assigned_priority", "max_attempt", "min_ram_count", "max_disk_count",
        "max_cpu_count", "min_cpu_speed", "core_count",
    )
}  # fmt: skip
JOB_COLUMNS = (
    *SAID, "panda_id", "vo_id", "task_id", "cloud_id", "cloud_fixed", "computing_site_id",
    "site_fixed", "destination_se_id", "current_priority", "prod_d_block",
    "destination_d_block", "state",
)  # fmt: skip
FILE_COLUMNS = ("id", "job_id", "type", "scope", "lfn", "dataset_id", "file_id")


class FileSpec(NamedTuple):
    """A file that a job names: input or output, with its dataset ('' = none)."""

    scope: str
    lfn: str
    dataset: str = ""


class JobSpec(NamedTuple):
    """One job as submitted and checked: names resolved, ranges kept."""

    fields: dict[str, Any]  # columns of Job: some of SAID
    vo: VO
    cloud: Cloud | None = None
    site: Site | None = None
    destination_se: StorageElement | None = None
    task: str = ""
    input_files: Sequence[FileSpec] = ()
    output_files: Sequence[FileSpec] = ()


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the names of a submission stand for."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    files: Mapping[tuple[str, str], int] = field(default_factory=dict)  # inputs that can be read


def write_jobs(
    specs: Sequence[JobSpec],
    panda_ids: Sequence[int],
    *,
    owner: User,
    known: Known,
    now: dt.datetime,
) -> list[JobState]:
    """Insert the jobs; returns their states: waiting where an input is not known, else defined."""
    states = [_state(spec, known) for spec in specs]
    rows = NewRows(
        Job,
        JOB_COLUMNS,
        owner_id=owner.pk,
        prod_user_id=owner.get_username(),
        event_seq=1,
        creation_time=now,
        queued_since=now,
        state_change_time=now,
        modification_time=now,
    )
    rows.insert(
        _job(spec, panda_id, known, state)
        for spec, panda_id, state in zip(specs, panda_ids, states, strict=True)
    )
    return states


def _state(spec: JobSpec, known: Known) -> JobState:
    for f in spec.input_files:
        if (f.scope, f.lfn) not in known.files:
            return JobState.WAITING
    return JobState.DEFINED


def _job(spec: JobSpec, panda_id: int, known: Known, state: JobState) -> list[Any]:
    said = {**SAID, **spec.fields}
    site, home, task = spec.site, spec.destination_se, known.tasks.get(spec.task)
    cloud_id = spec.cloud.pk if spec.cloud else site.cloud_id if site else None
    return [
        *said.values(),
        panda_id,
        spec.vo.pk,
        task and task.pk,
        cloud_id,
        spec.cloud is not None,
        site and site.pk,
        site is not None,
        home and home.pk,
        said["assigned_priority"],
        _first_dataset(spec.input_files),
        _first_dataset(spec.output_files),
        state.value,
    ]


def _first_dataset(files: Sequence[FileSpec]) -> str:
    for f in files:
        if f.dataset:
            return f.dataset
    return ""


def write_files(specs: Sequence[JobSpec], panda_ids: Sequence[int], *, known: Known) -> None:
    """Insert the files of the jobs, their keys in the order in which they were named.

    The outputs come first, sorted by name: who promises some of the same names at the same time
    meets the first of them first, and waits there, so that no two wait for each other.
    """
    n = sum(len(spec.input_files) + len(spec.output_files) for spec in specs)
    if not n:
        return
    keys = iter(reserve_keys(JobFile, n))
    inputs: list[tuple[Any, ...]] = []
    outputs: list[tuple[Any, ...]] = []
    for spec, panda_id in zip(specs, panda_ids, strict=True):
        inputs += _inputs(spec, panda_id, known, keys)
        outputs += _outputs(spec, panda_id, known, keys)
    outputs.sort(key=_by_name)
    NewRows(JobFile, FILE_COLUMNS).insert(chain(outputs, inputs))


def _inputs(
    spec: JobSpec, panda_id: int, known: Known, keys: Iterator[int]
) -> list[tuple[Any, ...]]:
    return [
        (
            next(keys),
            panda_id,
            "input",
            scope,
            lfn,
            _key(known, dataset),
            known.files.get((scope, lfn)),
        )
        for scope, lfn, dataset in spec.input_files
    ]


def _outputs(
    spec: JobSpec, panda_id: int, known: Known, keys: Iterator[int]
) -> list[tuple[Any, ...]]:
    return [
        (next(keys), panda_id, "output", scope, lfn, _key(known, dataset), None)
        for scope, lfn, dataset in spec.output_files
    ]


def _key(known: Known, dataset: str) -> int | None:
    return known.datasets[dataset].pk if dataset else None


def _by_name(row: tuple[Any, ...]) -> tuple[str, str]:
    return row[3], row[4]
