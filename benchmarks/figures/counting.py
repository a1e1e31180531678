"""What it costs to keep the counts of jobs in the transaction of each change, in four ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import connection

from benchmarks import fill
from benchmarks import statements as sql
from benchmarks.bed import Bed, Data, number
from benchmarks.figures import kit
from benchmarks.grid import Grid
from benchmarks.meter import LOAD, Meter, by_cpu
from benchmarks.result import Figure, ratio_of
from jobs import counts

JOBS = 100_000
PART = 0.25  # of them are claimed in each run
ROUNDS = 5  # of all ways in turn; of each the run counts that took the least CPU
OURS = "a row for each change, folded later"
_TAKEN = "SELECT count(*) FROM jobs_job WHERE state = 'sent'"
_TABLE = """
CREATE TABLE bench_count (cloud_id bigint, site_id bigint, label text, state text, slot int,
  n bigint NOT NULL, PRIMARY KEY (cloud_id, site_id, label, state, slot)) WITH (fillfactor = 50)
"""
_SHARED = """
  IF OLD.state <> NEW.state THEN
    INSERT INTO bench_count VALUES
      (coalesce(OLD.cloud_id, 0), coalesce(OLD.computing_site_id, 0), OLD.prod_source_label,
        OLD.state, {slot}, -1),
      (coalesce(NEW.cloud_id, 0), coalesce(NEW.computing_site_id, 0), NEW.prod_source_label,
        NEW.state, {slot}, 1)
    ON CONFLICT (cloud_id, site_id, label, state, slot)
    DO UPDATE SET n = bench_count.n + excluded.n;
  END IF;
"""
# What the trigger on the job table does instead of what it does in the product.
WAYS = {
    "nothing is counted": "",
    OURS: None,
    "one row for each number": _SHARED.format(slot="0"),
    "sixteen rows for each number": _SHARED.format(slot="pg_backend_pid() % 16"),
}


def run(bed: Bed) -> Iterator[Figure]:
    """count_jobs: plain claims with the counts of the product, against those without any."""
    n = bed.scaled(JOBS)
    spread = kit.activated(n, "activated")
    hot = Data("activated_at_one", kit.SITES, lambda grid: _at_one(grid, n))
    found = {name: _claims(bed, bed.restore(spread), body, n) for name, body in WAYS.items()}
    folded = _fold(bed, spread, n)
    at_one = {name: _claims(bed, _first(bed.restore(hot)), body, n) for name, body in WAYS.items()}
    bed.forget(hot)
    without = found["nothing is counted"]
    yield Figure(
        figure="count_jobs",
        value=found[OURS].rate,
        unit="claims/s",
        baseline=without.rate,
        must=ratio_of(0.8),
        conditions={"every change is in the counts": folded["missing"] == 0},
        details={
            "ratio_by_cpu": by_cpu(without.cpu, found[OURS].cpu),
            "at_100_sites": {name: _said(one, found) for name, one in found.items()},
            "at_one_site": {name: _said(one, at_one) for name, one in at_one.items()},
            "cpu_us_to_fold_a_row": folded["us"],
        },
    )


def _best(claims: Callable[[str | None], kit.Statements]) -> dict[str, kit.Statements]:
    """A run of each way: the one with the least CPU, which others have disturbed the least."""
    runs = [(name, claims(body)) for _ in range(ROUNDS) for name, body in WAYS.items()]
    return {
        name: min((run for way, run in runs if way == name), key=lambda run: run.cpu["all"])
        for name in WAYS
    }


def _claims(bed: Bed, grid: Grid, body: str | None, n: int) -> kit.Statements:
    if body is not None:
        with connection.cursor() as cursor:
            cursor.execute(_TABLE)
            cursor.execute(
                "CREATE OR REPLACE FUNCTION jobs_job_count() RETURNS trigger LANGUAGE plpgsql"
                f" AS $$ BEGIN {body.replace('%', '%%')} RETURN NULL; END $$",
                [],
            )
    return kit.statements(
        bed,
        sql.plainest_claim(grid),
        clients=kit.CLIENTS,
        transactions=int(PART * n),
        changed=_TAKEN,
    )


def _fold(bed: Bed, data: Data, n: int) -> dict[str, float]:
    """The CPU of the sweep that adds up what claims have left, a row; and how many of them miss."""
    _claims(bed, bed.restore(data), None, n)
    rows = number("SELECT count(*) FROM jobs_countdelta")
    sent = number("SELECT count(*) FROM jobs_countdelta WHERE state = 'sent'")
    meter = Meter(bed.stack.running)
    counts.fold()
    used = meter.read().cpu
    us = 1e6 * (used[LOAD] + used["postgres"]) / max(1, rows)
    return {"us": us, "missing": number(_TAKEN) - sent}


def _said(one: kit.Statements, all_of_them: dict[str, kit.Statements]) -> dict[str, float]:
    """Its rate and CPU, and the part of the rate that is left."""
    without = all_of_them["nothing is counted"]
    return {
        "rate": one.rate,
        "part": one.rate / without.rate,
        "cpu_us": one.cpu["postgres"],
        "cpu_us_more": one.cpu["postgres"] - without.cpu["postgres"],
        "foreign_cores": one.usage.foreign,
    }


def _at_one(grid: Grid, n: int) -> None:
    fill.add_jobs("activated", n, _first(grid), columns=fill.AT_A_SITE)


def _first(grid: Grid) -> Grid:
    return Grid(sites=grid.sites[:1], manager=grid.manager)
