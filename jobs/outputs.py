"""Whether jobs may make the outputs they name, asked before hours are spent on making them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

from datasets.models import Dataset, File
from datasets.states import DatasetState
from jobs.models import JobFile
from jobs.states import LIVE
from pandasite.base.errors import Unprocessable, field_error

MAX_FAULTS = 1000

# Names share these locks: each has a place in a table of some thousands that the whole server
# shares, and one submission may name more outputs than that.
STRIPES = 2048  # a power of two
LOCK_SPACE = 20_090_917  # apart from the advisory locks of others

# Sorted, so that two submissions never wait for each other. A thousand jobs take a second or two,
# and several such submissions may come at once: they wait longer than for an ordinary row.
_HOLD = """
SET LOCAL lock_timeout = '10s';
SELECT pg_advisory_xact_lock(%(space)s, stripe) FROM (
  SELECT DISTINCT (hashtextextended(name, 0) & %(mask)s)::int AS stripe
  FROM unnest(%(names)s::text[]) AS name ORDER BY stripe
) AS sorted
"""


@dataclass(frozen=True)
class Output:
    """An output with its place in the submission, as in `jobs[3].output_files[0]`."""

    place: str
    scope: str
    lfn: str
    dataset: str


def check_outputs(outputs: Sequence[Output]) -> None:
    """Unprocessable, with the place of every fault, when one could never be registered.

    `lfn_exists`: the catalogue has the name, or a live job is making it. `dataset_closed`: the
    dataset takes no more files, or belongs to the system.

    Must be called in the transaction that makes the jobs: until it ends, another that promises
    one of the names waits here, and then sees the jobs.
    """
    _hold_names(outputs)
    faults = [*_taken(outputs), *_closed(outputs)]
    if faults:
        first = faults[0]
        raise Unprocessable(first["message"], code=first["code"], fields=faults[:MAX_FAULTS])


def _hold_names(outputs: Sequence[Output]) -> None:
    names = [f"{output.scope}:{output.lfn}" for output in outputs]
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"space": LOCK_SPACE, "mask": STRIPES - 1, "names": names})


def _taken(outputs: Sequence[Output]) -> Iterator[dict[str, Any]]:
    wanted = by_name((output.scope, output.lfn) for output in outputs)
    making = JobFile.objects.filter(wanted, type=JobFile.Type.OUTPUT, job__state__in=LIVE)
    promised = {(f.scope, f.lfn): f.job_id for f in making}
    # Read behind the promises: a name leaves those only with the commit that registers it.
    made = set(File.objects.filter(wanted).values_list("scope", "lfn"))
    for output in outputs:
        name = (output.scope, output.lfn)
        if name in made or name in promised:
            what = "is in the catalogue" if name in made else f"is made by job {promised[name]}"
            field = f"{output.place}.lfn"
            yield field_error(field, f"{field} {output.lfn} {what} already", code="lfn_exists")


def _closed(outputs: Sequence[Output]) -> Iterator[dict[str, Any]]:
    known = Dataset.objects.filter(name__in={o.dataset for o in outputs if o.dataset})
    ours = Q(type__in=[Dataset.Type.DISPATCH, Dataset.Type.SUB])
    closed = {d.name: d for d in known.filter(ours | ~Q(state=DatasetState.OPEN))}
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
