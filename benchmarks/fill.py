"""Jobs by the hundred thousand: one INSERT ... SELECT each, with their history and their files.

Triggers stay on, so that the counts are right and whatever else hangs on a job is there; columns
that are not named get the defaults of the models. The k-th job (from 0) of a fill of `n_sites` is
at site k % n_sites, which is how the load tool knows that an answer is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models
from django.db.models import NOT_PROVIDED

from benchmarks.grid import CMT_CONFIG, CORES, CPU_MHZ, MEMORY_MB, RELEASES, Grid
from datasets.models import Dataset, File, Replica, SiteStorage
from jobs.models import Job, JobEvent, JobFile, Pilot

CHUNK = 100_000  # rows of one statement
FIRST = 1_000_000  # PandaID of the first job that a fill makes
SCOPE = "bench"
KINDS = 40  # of requirements, in the queue of a site that has a thousand jobs
GUID = "7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00"


def asks(alike: int = 1) -> dict[str, str]:
    """What jobs ask for: one of KINDS kinds, all of which fit the benchmarks' pilots.

    So many jobs in a row ask for the same, as those of one task do.
    """
    kind = f"(k / {alike} * 7919 % 104729 % {KINDS})"
    releases = "ARRAY['', " + ", ".join(f"'{name}'" for name in RELEASES) + "]"
    priority = f"100 * (k / {alike} / 23 % 9)"
    return {
        "prod_source_label": f"CASE WHEN {kind} % 10 = 0 THEN 'user' ELSE 'managed' END",
        "processing_type": "'simul'",
        "min_ram_count": f"(ARRAY[0, 1000, 2000, {MEMORY_MB}])[1 + {kind} % 4]",
        "max_disk_count": f"(ARRAY[0, 500, 5000])[1 + {kind} / 4 % 3]",
        "min_cpu_speed": f"(ARRAY[0, 2000, {CPU_MHZ}])[1 + {kind} / 3 % 3]",
        "core_count": f"(ARRAY[1, 1, 1, {CORES}])[1 + {kind} / 5 % 4]",
        "atlas_release": f"({releases})[1 + {kind} % 5]",
        "cmt_config": f"CASE WHEN {kind} % 5 = 0 THEN '' ELSE '{CMT_CONFIG}' END",
        "current_priority": priority,
        "assigned_priority": priority,
    }


COMMON = {
    "panda_id": "k + {first}",
    "job_name": "'bench job ' || k",
    "transformation": "'simul.py'",
    "job_parameters": "repeat('--parameter=value ', 12) || k",
    "vo_id": "(SELECT id FROM brokerage_vo WHERE name = 'atlas')",
    "owner_id": "(SELECT id FROM auth_user WHERE username = 'bench-manager')",
    "prod_user_id": "'bench-manager'",
    "event_seq": "1",
    "creation_time": "now()",
    "queued_since": "now()",
    "state_change_time": "now()",
    "modification_time": "now()",
}
AT_A_SITE = {
    "computing_site_id": "(CAST({sites} AS bigint[]))[1 + k % {n_sites}]",
    "cloud_id": "(SELECT cloud_id FROM brokerage_site s"
    " WHERE s.id = (CAST({sites} AS bigint[]))[1 + k % {n_sites}])",
}
# A pilot renewed its lease at some moment of the last half hour.
RUNNING = {
    "attempt_nr": "1",
    "lease_sha256": "encode(sha256(lpad(to_hex(k + {first}), 64, '0')::bytea), 'hex')",
    "lease_until": "now() + interval '90 min' + interval '30 min' * (k / {n_sites} % 997) / 997",
    "report_seq": "1",
    "start_time": "now() - interval '1 hour'",
}


def lease_token(panda_id: int) -> str:
    """The token with which a job of `add_running` is held."""
    return f"{panda_id:064x}"


def add_jobs(
    state: str, n: int, grid: Grid, *, first: int = FIRST, columns: Mapping[str, str] | None = None
) -> None:
    """`n` jobs that were born in `state`, spread over the sites of the grid (none: no site)."""
    filled = job_columns(state, grid, first=first, columns=columns)
    insert(Job, filled, n)
    born = {"job_id": f"k + {first}", "seq": "1", "attempt_nr": filled.get("attempt_nr", "0")}
    said = {"to_state": f"'{state}'", "actor": "'benchmarks'", "at": "now()", "reason": "'{}'"}
    insert(JobEvent, born | said, n)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('jobs_job', 'panda_id'),"
            " greatest(nextval(pg_get_serial_sequence('jobs_job', 'panda_id')), %s))",
            [first + n],
        )


def job_columns(
    state: str, grid: Grid, *, first: int, columns: Mapping[str, str] | None
) -> dict[str, str]:
    """The SQL of each column of such jobs, `k` in it."""
    values = _sites(grid) | {"first": first}
    given = COMMON | asks() | {"state": f"'{state}'"} | dict(columns or {})
    return {name: text.format(**values) for name, text in given.items()}


def add_activated(n: int, grid: Grid, *, first: int = FIRST) -> None:
    """Jobs that pilots may claim."""
    add_jobs("activated", n, grid, first=first, columns=AT_A_SITE)


def add_not_matching(n: int, grid: Grid, *, first: int) -> None:
    """Jobs at the head of the first site's queue that want more memory than any pilot has."""
    here = Grid(sites=grid.sites[:1], manager=grid.manager)
    greedy = {
        "min_ram_count": f"{MEMORY_MB} + 1000 * (1 + k % 4)",
        "current_priority": "5000",
        "assigned_priority": "5000",
    }
    add_jobs("activated", n, here, first=first, columns=AT_A_SITE | greedy)


def add_running(n: int, grid: Grid, *, first: int = FIRST, jobs_a_node: int = 8) -> None:
    """Jobs with a pilot each; who holds one knows its `lease_token`.

    As they are in the middle of it all: heard at some moment of the last half hour, looked at by
    the watchdog at some moment of the last lease.
    """
    nr = f"(k / {len(grid.sites)})"  # of the job at its site
    node = f"'node' || {nr} / {jobs_a_node} || '.site' || k % {len(grid.sites)}"
    pilots = {
        "site_id": _at(grid)["computing_site_id"],
        "pilot_id": f"'busy-' || k + {first}",
        "node": node,
        "first_contact": "now() - interval '1 hour'",
        "last_contact": f"now() - interval '30 min' * ({nr} % 997) / 997",
        "last_report": f"now() - interval '30 min' * ({nr} % 997) / 997",
        "claims": "1",
        "jobs": "1",
    }
    pilot = f"{_room(Pilot, n)} + k"
    insert(Pilot, pilots | {"id": pilot}, n)
    held = {"pilot_id": pilot, "node": node}
    add_jobs("running", n, grid, first=first, columns=AT_A_SITE | RUNNING | held)
    for statement in (_NODES, _PULSES):
        with connection.cursor() as cursor:
            cursor.execute(statement, {"first": first, "last": first + n - 1})


# The triggers on jobs have made a pulse for each, as if all had begun at this moment.
_PULSES = """
UPDATE jobs_pulse SET heard_at = lease_until - interval '2 hours',
  due = least(lease_until, now() + interval '90 min' * (job_id * 7919 %% 9973) / 9973),
  told_at = now() - interval '1 hour' * (job_id * 6113 %% 9973) / 9973
WHERE job_id BETWEEN %(first)s AND %(last)s
"""
_NODES = """
INSERT INTO jobs_node (site_id, node, last_claim, last_report, pilots)
SELECT site_id, node, min(first_contact), max(last_report), count(*) FROM jobs_pilot
WHERE pilot_id LIKE 'busy-%%' GROUP BY 1, 2 ON CONFLICT DO NOTHING
"""


def _room(model: type[models.Model], n: int) -> int:
    """The first of `n` keys that the sequence of a table gives to nobody else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [_table(model)])
        key = int(cursor.fetchone()[0])
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [_table(model), key + n]
        )
    return key


def _at(grid: Grid) -> dict[str, str]:
    return {name: text.format(**_sites(grid)) for name, text in AT_A_SITE.items()}


def _sites(grid: Grid) -> dict[str, object]:
    keys = ",".join(str(place.pk) for place in grid.sites)
    return {"sites": f"'{{{keys}}}'", "n_sites": len(grid.sites)}


def add_outputs(n: int, *, first: int = FIRST, per_job: int = 2, datasets: int = 20) -> None:
    """Output files that the first `n` jobs of a fill have declared, in some datasets."""
    made = _datasets("out", datasets)
    for nr in range(per_job):
        file = {
            "job_id": f"k + {first}",
            "type": "'output'",
            "scope": f"'{SCOPE}'",
            "lfn": f"'out{nr}.' || k + {first}",
            "dataset_id": f"{made} + k / {per_job} % {datasets}",
        }
        insert(JobFile, file, n)


def add_files(n: int, grid: Grid, *, copies: int) -> None:
    """Files of the catalogue, `in.0` and so on, with replicas at so many sites of the grid."""
    given = {
        "scope": f"'{SCOPE}'",
        "lfn": "'in.' || k",
        "guid": f"'{GUID}'",
        "adler32": "'0c2a04f1'",
    }
    insert(File, given | {"size": "1000000", "created_at": "now()"}, n)
    storages = f"(SELECT array_agg(storage_id ORDER BY id) FROM {_table(SiteStorage)})"
    for copy in range(copies):
        replica = {
            "file_id": f"{_first_of(File)} + k",
            "storage_id": f"{storages}[1 + (k * 7 + {copy}) % {len(grid.sites)}]",
            "created_at": "now()",
        }
        insert(Replica, replica, n)


def add_inputs(n: int, *, files: int, alike: int, first: int = FIRST) -> None:
    """One input file for each job of every second run of `alike` jobs."""
    chosen = f"(k / {alike} * {2 * alike} + k % {alike})"
    name = f"'in.' || {chosen} % {files}"
    given = {
        "job_id": f"{chosen} + {first}",
        "type": "'input'",
        "scope": f"'{SCOPE}'",
        "lfn": name,
        "file_id": f"{_first_of(File)} + {chosen} % {files}",
    }
    insert(JobFile, given, n // 2)


def _datasets(prefix: str, n: int) -> int:
    """Open destination datasets; the key of the first, the others follow it."""
    named = {"name": f"'bench.{prefix}.' || k", "type": "'destination'"}
    insert(Dataset, named | {"created_at": "now()", "state_changed_at": "now()"}, n)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_first_of(Dataset)}")
        return int(cursor.fetchone()[0])


def output_names(panda_id: int, per_job: int = 2) -> Sequence[str]:
    """The LFNs that `add_outputs` gave a job."""
    return [f"out{nr}.{panda_id}" for nr in range(per_job)]


def insert(
    model: type[models.Model], given: Mapping[str, str], n: int, *, low: int = 0, table: str = ""
) -> None:
    """Rows number `low` to before `n`, `k` in the SQL of their columns; into another table of the
    same columns, if one is named."""
    columns = _defaults(model) | dict(given)
    names = ", ".join(columns)
    exprs = ", ".join(columns.values())
    table = table or _table(model)
    for begin in range(low, n, CHUNK):
        end = min(n, begin + CHUNK) - 1
        rows = f"FROM generate_series({begin}::bigint, {end}) AS k"
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {exprs} {rows}")


def _table(model: type[models.Model]) -> str:
    return model._meta.db_table


def lowest(model: type[models.Model]) -> str:
    """SQL: the lowest key of a table."""
    return _first_of(model)


def _first_of(model: type[models.Model]) -> str:
    return f"(SELECT min(id) FROM {_table(model)})"


def _defaults(model: type[models.Model]) -> dict[str, str]:
    """SQL of the model's values for columns that nobody names, and the database has none for."""
    found: dict[str, str] = {}
    for field in model._meta.concrete_fields:
        known = field.primary_key or field.generated or field.db_default is not NOT_PROVIDED
        if known or (field.null and not field.has_default()):
            continue
        if field.has_default() or field.empty_strings_allowed:
            found[str(field.column)] = _literal(field.get_default())
    return found


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict | list):
        return "'{}'" if isinstance(value, dict) else "'[]'"
    return "'" + str(value).replace("'", "''") + "'"
