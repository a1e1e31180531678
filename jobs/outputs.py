"""Whether jobs may make the outputs they name, asked before hours are spent on making them.

A live job promises its outputs: no two rows of jobs_jobfile that are `pending` or `transferring`
outputs have the same name (constraint `output_promised_once`). The promise ends with the status:
registration makes it `ready`, with the file in the catalogue, and an end without one `failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from datasets.models import Dataset, File
from datasets.states import DatasetState
from jobs.models import JobFile
from jobs.models.file import IS_PROMISED, PROMISED
from pandasite.base.errors import Conflict, Unprocessable, field_error

MAX_FAULTS = 1000
# A name that is promised to a job whose end is just being written may be had a moment later.
TRIES = 5
SYSTEM = (Dataset.Type.DISPATCH, Dataset.Type.SUB)

# Somebody who promises one of the names may be a submission of a thousand jobs: it is waited for
# longer than for an ordinary row.
_PATIENCE = "SET LOCAL lock_timeout = '10s'"
_MADE = """
SELECT EXISTS (
  SELECT FROM jobs_jobfile f JOIN datasets_file c USING (scope, lfn)
  WHERE f.job_id = ANY(%s) AND f.type = 'output'
)
"""


@dataclass(frozen=True)
class Output:
    """An output with its place in the submission, as in `jobs[3].output_files[0]`."""

    place: str
    scope: str
    lfn: str
    dataset: str


def promise(
    write: Callable[[], None],
    *,
    panda_ids: Sequence[int],
    into: Collection[Dataset],
    outputs: Callable[[], Sequence[Output]],
) -> None:
    """Let `write` insert the files of new jobs, whose outputs go `into` datasets.

    Unprocessable, with the place of every fault, when one could never be registered.
    `lfn_exists`: the catalogue has the name, or a live job is making it. `dataset_closed`: the
    dataset takes no more files, or belongs to the system. Another transaction that promises one
    of the names is waited for. `outputs` is asked only when there is a fault.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
    for _ in range(TRIES):
        if _written(write):
            # Read behind the promises: a name leaves those only with the commit that registers it.
            if _is_made(panda_ids) or any(_is_closed(dataset) for dataset in into):
                _refuse(outputs(), panda_ids)
            return
        _refuse(outputs(), panda_ids)
    message = "others promise and give up some of these outputs just now; send it again"
    raise Conflict(message, code="busy_outputs")


def _written(write: Callable[[], None]) -> bool:
    """Whether all could be inserted: False when a live job has promised one of the names."""
    try:
        with transaction.atomic():
            write()
    except IntegrityError as error:
        if constraint_of(error) != PROMISED:
            raise
        return False
    return True


def constraint_of(error: IntegrityError) -> str | None:
    """The constraint that a row would have broken."""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)


def _is_made(panda_ids: Sequence[int]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_MADE, [list(panda_ids)])
        return bool(cursor.fetchone()[0])


def _is_closed(dataset: Dataset) -> bool:
    return dataset.type in SYSTEM or dataset.state != DatasetState.OPEN


def _refuse(outputs: Sequence[Output], panda_ids: Collection[int]) -> None:
    """Unprocessable when there is a fault to be seen."""
    faults = [*_taken(outputs, panda_ids), *_closed(outputs)]
    if faults:
        first = faults[0]
        raise Unprocessable(first["message"], code=first["code"], fields=faults[:MAX_FAULTS])


def _taken(outputs: Sequence[Output], panda_ids: Collection[int]) -> Iterator[dict[str, Any]]:
    wanted = by_name((output.scope, output.lfn) for output in outputs)
    making = JobFile.objects.filter(wanted, IS_PROMISED).exclude(job__in=panda_ids)
    promised = {(f.scope, f.lfn): f.job_id for f in making}
    made = set(File.objects.filter(wanted).values_list("scope", "lfn"))
    for output in outputs:
        name = (output.scope, output.lfn)
        if name in made or name in promised:
            what = "is in the catalogue" if name in made else f"is made by job {promised[name]}"
            field = f"{output.place}.lfn"
            yield field_error(field, f"{field} {output.lfn} {what} already", code="lfn_exists")


def _closed(outputs: Sequence[Output]) -> Iterator[dict[str, Any]]:
    named = Dataset.objects.filter(name__in={o.dataset for o in outputs if o.dataset})
    closed = {dataset.name: dataset for dataset in named if _is_closed(dataset)}
    for output in outputs:
        if output.dataset in closed:
            dataset, field = closed[output.dataset], f"{output.place}.dataset"
            message = (
                f"{field} {dataset.name} is {dataset.type}, {dataset.state}: it takes no files"
            )
            yield field_error(field, message, code="dataset_closed")


def by_name(wanted: Iterable[tuple[str, str]]) -> Q:
    """The condition that (scope, lfn) is one of these; none of none."""
    by_scope: dict[str, set[str]] = {}
    for scope, lfn in wanted:
        by_scope.setdefault(scope, set()).add(lfn)
    condition = Q(pk__in=[])
    for scope, lfns in by_scope.items():
        condition |= Q(scope=scope, lfn__in=lfns)
    return condition
