"""From a piece of work to the job that does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db.models import Q

from brokerage.models import Site
from datasets.models import Dataset, DatasetFile, StorageElement
from jobs.models import Task, TaskDataset, TaskInput, TaskPiece
from jobs.rows import FileSpec, JobSpec
from jobs.tasks_engine import template
from jobs.tasks_engine.scouts import Piece, needs
from jobs.tasks_engine.spec import (
    BuildSpec,
    MergeSpec,
    OutputSpec,
    SecondarySpec,
    SelectSpec,
    TaskSpec,
)
from jobs.tasks_engine.splitting import in_turn
from jobs.tasks_engine.states import Stage

SECONDARY_FILES = 10_000  # of a dataset, that are taken in turn
Role = TaskDataset.Role


class Named(NamedTuple):
    """A file by its names."""

    scope: str
    lfn: str


@dataclass(frozen=True, kw_only=True)
class Library:
    """What the jobs of some pieces are made of, read by a few queries."""

    specs: Mapping[int, TaskSpec]  # by task
    datasets: Mapping[str, Dataset]  # by name
    inputs: Mapping[int, Sequence[FileSpec]]  # by piece
    secondary: Mapping[SecondarySpec, Sequence[Named]]
    storages: Mapping[str, StorageElement]

    @classmethod
    def of(cls, pieces: Sequence[TaskPiece], tasks: Mapping[int, Task]) -> Library:
        """Of these pieces and their tasks."""
        concerned = {piece.task_id for piece in pieces}
        specs = {pk: TaskSpec.of(tasks[pk].spec, owner=tasks[pk].spec["owner"]) for pk in concerned}
        uses = TaskDataset.objects.filter(task__in=concerned).select_related("dataset")
        datasets = {use.dataset.name: use.dataset for use in uses}
        homes = {spec.destination_se for spec in specs.values()} - {""}
        return cls(
            specs=specs,
            datasets=datasets,
            inputs=_inputs(pieces),
            secondary=_secondary(specs.values(), datasets),
            storages={s.name: s for s in StorageElement.objects.filter(name__in=homes)},
        )


def _inputs(pieces: Sequence[TaskPiece]) -> dict[int, list[FileSpec]]:
    """The files of each piece, with the dataset of its task that they are in."""
    rows = (
        TaskInput.objects.filter(piece__in=[piece.pk for piece in pieces])
        .order_by("pk")
        .values_list("piece_id", "task_id", "stage", "file_id", "file__scope", "file__lfn")
    )
    found = list(rows)
    datasets = _datasets_of({(task, stage) for _, task, stage, *_ in found}, {r[3] for r in found})
    inputs: dict[int, list[FileSpec]] = defaultdict(list)
    for piece_id, task_id, stage, file_id, scope, lfn in found:
        inputs[piece_id].append(FileSpec(scope, lfn, datasets.get((task_id, stage, file_id), "")))
    return inputs


def _datasets_of(
    stages: Collection[tuple[int, str]], files: Collection[int]
) -> dict[tuple[int, str, int], str]:
    """The name of a dataset by (task, stage, file)."""
    uses = TaskDataset.objects.filter(
        task__in={task for task, _ in stages}, role__in=[Role.INPUT, Role.OUTPUT]
    )
    by_dataset: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for task_id, role, dataset_id in uses.values_list("task_id", "role", "dataset_id"):
        stage = Stage.WORK if role == Role.INPUT else Stage.MERGE
        by_dataset[dataset_id].append((task_id, stage.value))
    members = DatasetFile.objects.filter(dataset__in=by_dataset, file__in=files)
    rows = members.values_list("dataset_id", "dataset__name", "file_id")
    return {
        (task_id, stage, file_id): name
        for dataset_id, name, file_id in rows
        for task_id, stage in by_dataset[dataset_id]
    }


def _secondary(
    specs: Collection[TaskSpec], datasets: Mapping[str, Dataset]
) -> dict[SecondarySpec, list[Named]]:
    """The first files of each secondary dataset, in the order in which they came into it."""
    return {
        one: _files_of(datasets[one.dataset], one.select or SelectSpec())
        for one in {one for spec in specs for one in spec.secondary}
    }


def _files_of(dataset: Dataset, select: SelectSpec) -> list[Named]:
    """Files of a dataset that are wanted."""
    members = DatasetFile.objects.filter(dataset=dataset).order_by("pk")
    if select.lfns:
        members = members.filter(file__lfn__in=select.lfns)
    if select.include:
        wanted = (Q(file__lfn__regex=one) for one in select.include)
        members = members.filter(reduce(or_, wanted))
    for one in select.exclude:
        members = members.exclude(file__lfn__regex=one)
    most = min(select.files or SECONDARY_FILES, SECONDARY_FILES)
    rows = members.values_list("file__scope", "file__lfn")[select.skip : select.skip + most]
    return [Named(scope, lfn) for scope, lfn in rows]


def job_spec(task: Task, piece: TaskPiece, library: Library) -> JobSpec:
    """The job of a piece."""
    spec = library.specs[task.pk]
    stage = Stage(piece.stage)
    names = template.of_piece(task.pk, piece.serial)
    outputs = [
        FileSpec(one.scope, template.fill(one.lfn, names), one.dataset)
        for one in _outputs(spec, stage)
    ]
    inputs = list(library.inputs.get(piece.pk, ()))
    besides = _besides(spec, piece, library) if stage == Stage.WORK else []
    built = _built(spec, stage, names)
    values = template.of_job(
        names | {"LIB": built[0].lfn} if built else names,
        first_event=piece.first_event,
        n_events=piece.n_events,
        inputs=[f.lfn for f in inputs],
        secondary=[[f.lfn for f in files] for files in besides],
        outputs=[f.lfn for f in outputs],
    )
    taken = {(f.scope, f.lfn) for f in inputs}
    more = {(f.scope, f.lfn): f for files in besides for f in files}
    return JobSpec(
        fields=_fields(task, spec, piece, values),
        vo=task.vo,  # type: ignore[arg-type]  # the engine's tasks have one
        cloud=task.cloud,
        site=_site(task, stage),
        destination_se=library.storages.get(spec.destination_se),
        task=str(task.pk),
        input_files=[*inputs, *built, *(f for key, f in more.items() if key not in taken)],
        output_files=outputs,
    )


def _step(spec: TaskSpec, stage: Stage) -> TaskSpec | MergeSpec | BuildSpec:
    """What of the request says what a job of the stage runs."""
    steps = {Stage.MERGE: spec.merge, Stage.BUILD: spec.build}
    return steps.get(stage) or spec


def _outputs(spec: TaskSpec, stage: Stage) -> Sequence[OutputSpec]:
    step = _step(spec, stage)
    if isinstance(step, TaskSpec):
        return spec.outputs
    return [OutputSpec(dataset=step.dataset, scope=step.scope, lfn=step.lfn)]


def _built(spec: TaskSpec, stage: Stage, names: Mapping[str, str]) -> list[FileSpec]:
    """What the build made, for the jobs behind it."""
    if spec.build is None or stage == Stage.BUILD:
        return []
    lfn = template.fill(spec.build.lfn, names)
    return [FileSpec(spec.build.scope, lfn, spec.build.dataset)]


def _site(task: Task, stage: Stage) -> Site | None:
    """Merging is done at the Tier-1, all else where the request wants it."""
    merges = stage == Stage.MERGE and task.cloud and task.cloud.tier1
    return task.cloud.tier1 if merges and task.cloud else task.site


def _besides(spec: TaskSpec, piece: TaskPiece, library: Library) -> list[list[FileSpec]]:
    """The secondary files of the piece."""
    return [
        [
            FileSpec(file.scope, file.lfn, one.dataset)
            for file in in_turn(
                library.secondary[one], serial=piece.serial, per_piece=one.files_per_job
            )
        ]
        for one in spec.secondary
    ]


def _fields(
    task: Task, spec: TaskSpec, piece: TaskPiece, values: Mapping[str, str]
) -> dict[str, object]:
    """Columns of the job."""
    step = _step(spec, Stage(piece.stage))
    works = piece.stage == Stage.WORK
    kind = "" if works else f".{piece.stage}"
    facts = Piece(piece.n_events, piece.n_files, piece.input_bytes, not works)
    return {
        "job_name": f"{task.name[:230]}{kind}._{piece.serial:05d}",
        "prod_source_label": spec.prod_source_label,
        "processing_type": spec.processing_type if works else piece.stage,
        "transformation": step.transformation,
        "job_parameters": template.fill(step.job_parameters, values),
        "atlas_release": spec.atlas_release,
        "homepackage": spec.homepackage,
        "cmt_config": spec.cmt_config,
        "working_group": spec.working_group,
        "assigned_priority": task.priority,
        "max_attempt": spec.max_attempts,
        "core_count": spec.core_count if works else 1,
        **needs(spec, task.measured, facts),
    }
