"""Submission: a thousand jobs of three files per request, against COPY of the same rows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from django.db import connection, models, transaction

from benchmarks import fill
from benchmarks.bed import Bed, Data, number
from benchmarks.calls import JOBS, Calls, encoded
from benchmarks.figures import kit
from benchmarks.grid import CMT_CONFIG, RELEASES, Grid
from benchmarks.load import Load, Request, run_closed
from benchmarks.meter import Meter, Usage, by_cpu
from benchmarks.result import Figure, ratio_of
from jobs.models import Job, JobEvent, JobFile

A_REQUEST = 1000
REQUESTS = 12
CONNECTIONS = 2
INPUTS = 1000
SHIFT = 10_000_000  # added to the keys of what is copied
_DEFINED = "SELECT count(*) FROM jobs_job WHERE state = 'defined'"


def run(bed: Bed) -> Iterator[Figure]:
    """submit: jobs per second to rows in the state defined."""
    grid = bed.restore(
        Data("inputs", kit.SITES, lambda grid: fill.add_files(INPUTS, grid, copies=3))
    )
    bed.start_site()
    requests = list(_requests(Calls(bed.host, bed.port), grid, bed.scaled(REQUESTS, least=2) + 1))
    before, meter = number(_DEFINED), bed.meter()
    load = run_closed(
        bed.host,
        bed.port,
        iter(requests),
        connections=CONNECTIONS,
        heard=lambda tag, status, body: None,
        seconds=300,
    )
    usage, made = meter.read(), number(_DEFINED) - before
    whole = made == A_REQUEST * len(requests) and not load.tally.errors
    bed.end_site()
    yield _figure(load, usage, made, whole=whole, copy=_copy_again(bed))


def _figure(load: Load, usage: Usage, made: int, *, whole: bool, copy: tuple[int, Usage]) -> Figure:
    copied, copying = copy
    ours, plain = usage.per(made), copying.per(copied)
    return Figure(
        figure="submit",
        value=made / load.seconds,
        unit="jobs/s",
        baseline=copied / copying.seconds,
        must=ratio_of(0.25),
        stretch=ratio_of(0.5),
        conditions={"every job made": whole},
        details={
            "jobs": made,
            "connections": CONNECTIONS,
            "cpu_us": ours,
            "ratio_by_cpu": by_cpu(plain, ours),
            "foreign_cores": usage.foreign,
            **load.tally.as_json(),
            "copy": {"jobs": copied, "seconds": copying.seconds, "cpu_us": plain},
        },
    )


def job_body(serial: str, *, task: str, nr: int = 0) -> dict[str, object]:
    """A production job with one input file that is known, and two outputs."""
    return {
        "job_name": f"{task}.{serial}",
        "prod_source_label": "managed",
        "processing_type": "simul",
        "transformation": "simul.py",
        "job_parameters": "--parameter=value " * 12,
        "atlas_release": RELEASES[nr % len(RELEASES)],
        "cmt_config": CMT_CONFIG,
        "vo": "atlas",
        "task": task,
        "assigned_priority": 100,
        "min_ram_count": 1000,
        "input_files": [{"lfn": f"in.{nr % INPUTS}", "scope": fill.SCOPE}],
        "output_files": [
            {"lfn": f"{kind}.{serial}.root", "scope": fill.SCOPE, "dataset": f"bench.{task}.{kind}"}
            for kind in ("HITS", "LOGS")
        ],
    }


def _requests(calls: Calls, grid: Grid, n: int) -> Iterator[Request]:
    for nr in range(n):
        jobs = [job_body(f"{nr:03d}{i:04d}", task=f"task{nr}", nr=i) for i in range(A_REQUEST)]
        key = calls.key("submit")
        yield calls.post(JOBS, grid.manager, encoded({"jobs": jobs}), key=key), nr


def _copy_again(bed: Bed) -> tuple[int, Usage]:
    """The rows of jobs, files and events once more by COPY, a thousand jobs per transaction.

    How many jobs, and what it took. The triggers on the tables fire as ever.
    """
    low = number("SELECT min(panda_id) FROM jobs_job WHERE state = 'defined'")
    high = number("SELECT max(panda_id) FROM jobs_job WHERE state = 'defined'")
    pieces = [_exported(begin) for begin in range(low, high + 1, A_REQUEST)]
    before, meter = number(_DEFINED), Meter(bed.stack.running)
    for piece in pieces:
        with transaction.atomic(), connection.cursor() as cursor:
            for model, text in piece:
                cursor.copy_expert(f"COPY {_named(model)} FROM STDIN", io.StringIO(text))
    usage = meter.read()
    return number(_DEFINED) - before, usage


def _exported(begin: int) -> Sequence[tuple[type[models.Model], str]]:
    """A thousand jobs with all that hangs on them, under other keys."""
    found: list[tuple[type[models.Model], str]] = []
    for model, key in ((Job, "panda_id"), (JobFile, "job_id"), (JobEvent, "job_id")):
        columns = ", ".join(_shifted(column) for column in _columns(model))
        chosen = f"{key} >= {begin} AND {key} < {begin + A_REQUEST}"
        text = io.StringIO()
        with connection.cursor() as cursor:
            select = f"SELECT {columns} FROM {model._meta.db_table} WHERE {chosen}"
            cursor.copy_expert(f"COPY ({select}) TO STDOUT", text)
        found.append((model, text.getvalue()))
    return found


def _columns(model: type[models.Model]) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields if not field.generated]


def _named(model: type[models.Model]) -> str:
    return f"{model._meta.db_table} ({', '.join(_columns(model))})"


def _shifted(column: str) -> str:
    """Another key, and another name: an output is promised once."""
    if column in ("id", "panda_id", "job_id"):
        return f"{column} + {SHIFT}"
    return "'copy.' || lfn" if column == "lfn" else column
