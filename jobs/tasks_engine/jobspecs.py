"""From a piece of work to the job that does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from datasets.models import Dataset, DatasetFile, StorageElement
from jobs.models import Task, TaskDataset, TaskInput, TaskPiece
from jobs.rows import FileSpec, JobSpec
from jobs.tasks_engine import template
from jobs.tasks_engine.scouts import Piece, needs
from jobs.tasks_engine.spec import OutputSpec, TaskSpec
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
    secondary: Mapping[str, Sequence[Named]]  # by dataset
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
) -> dict[str, list[Named]]:
    """The first files of each secondary dataset, in the order in which they came into it."""
    names = {one.dataset for spec in specs for one in spec.secondary}
    return {
        name: [
            Named(scope, lfn)
            for scope, lfn in DatasetFile.objects.filter(dataset=datasets[name])
            .order_by("pk")
            .values_list("file__scope", "file__lfn")[:SECONDARY_FILES]
        ]
        for name in names
    }


def job_spec(task: Task, piece: TaskPiece, library: Library) -> JobSpec:
    """The job of a piece."""
    spec = library.specs[task.pk]
    merges = piece.stage == Stage.MERGE
    names = template.of_piece(task.pk, piece.serial)
    outputs = [
        FileSpec(one.scope, template.fill(one.lfn, names), one.dataset)
        for one in _outputs(spec, merges=merges)
    ]
    inputs = list(library.inputs.get(piece.pk, ()))
    besides = [] if merges else _besides(spec, piece, library)
    values = template.of_job(
        names,
        serial=piece.serial,
        first_event=piece.first_event,
        n_events=piece.n_events,
        inputs=[f.lfn for f in inputs],
        secondary=[[f.lfn for f in files] for files in besides],
        outputs=[f.lfn for f in outputs],
    )
    taken = {(f.scope, f.lfn) for f in inputs}
    more = {(f.scope, f.lfn): f for files in besides for f in files}
    site = task.cloud.tier1 if merges and task.cloud and task.cloud.tier1 else task.site
    return JobSpec(
        fields=_fields(task, spec, piece, values, merges=merges),
        vo=task.vo,  # type: ignore[arg-type]  # the engine's tasks have one
        cloud=task.cloud,
        site=site,
        destination_se=library.storages.get(spec.destination_se),
        task=str(task.pk),
        input_files=[*inputs, *(f for key, f in more.items() if key not in taken)],
        output_files=outputs,
    )


def _outputs(spec: TaskSpec, *, merges: bool) -> Sequence[OutputSpec]:
    if merges and spec.merge:
        return [OutputSpec(dataset=spec.merge.dataset, scope=spec.merge.scope, lfn=spec.merge.lfn)]
    return spec.outputs


def _besides(spec: TaskSpec, piece: TaskPiece, library: Library) -> list[list[FileSpec]]:
    """The secondary files of the piece."""
    return [
        [
            FileSpec(file.scope, file.lfn, one.dataset)
            for file in in_turn(
                library.secondary[one.dataset], serial=piece.serial, per_piece=one.files_per_job
            )
        ]
        for one in spec.secondary
    ]


def _fields(
    task: Task, spec: TaskSpec, piece: TaskPiece, values: Mapping[str, str], *, merges: bool
) -> dict[str, object]:
    """Columns of the job."""
    step = spec.merge if merges and spec.merge else spec
    kind = ".merge" if merges else ""
    facts = Piece(piece.n_events, piece.n_files, piece.input_bytes, merges)
    return {
        "job_name": f"{task.name[:230]}{kind}._{piece.serial:05d}",
        "prod_source_label": spec.prod_source_label,
        "processing_type": "merge" if merges else spec.processing_type,
        "transformation": step.transformation,
        "job_parameters": template.fill(step.job_parameters, values),
        "atlas_release": spec.atlas_release,
        "homepackage": spec.homepackage,
        "cmt_config": spec.cmt_config,
        "working_group": spec.working_group,
        "assigned_priority": task.priority,
        "max_attempt": spec.max_attempts,
        "core_count": 1 if merges else spec.core_count,
        **needs(spec, task.measured, facts),
    }
