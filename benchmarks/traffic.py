"""Data that lies about and moves: where datasets are, who wants them, and a week of transfers.

The sums are written as the sweeps would have left them.
"""

from __future__ import annotations

from django.db import connection

from benchmarks import fill
from benchmarks.grid import Grid
from datasets import flowsums, sums
from datasets.models import (
    Dataset,
    DatasetCopy,
    DatasetFile,
    File,
    Replica,
    SiteStorage,
    SpaceSample,
    Subscription,
    Transfer,
    TransferFailure,
    TransferSum,
)
from pandasite.base.clock import database_now
from pandasite.base.models import Patrol

HOURS = 168
OPEN = 0.1  # of the subscriptions
BLOCKS = 0.02  # open ones, for each dataset
# Pages of the monitor and their queries, over this data.
PAGES = (
    ("datasets", ("", "category=user", "project=mc09&category=mc", "storage=SITE_035_DISK",
                  "name=mc09.77", "name=mc09.*.EVNT", "data_type=AOD&hours=24")),
    ("datasets_new", ("",)),
    ("datasets_aborted", ("",)),
    ("aods", ("", "storage=SITE_035_DISK")),
    ("subscriptions", ("", "stuck=yes&first=oldest", "state=all", "storage=SITE_035_DISK")),
    ("open_blocks", ("", "kind=sub")),
    ("ddm", ("", "window=7d", "window=7d&by=storage", "source=cloud:C1&by=site&window=24h")),
    ("ddm_errors", ("window=24h", "window=7d&by=storage")),
    ("ddm_stuck", ("hours=0",)),
    ("ddm_space", ("", "days=400")),
    ("ddm_plot", ("what=throughput&window=7d", "what=volume", "what=transfers&window=24h")),
)  # fmt: skip
NAMED = tuple(f"mc09.{nr}.evgen.EVNT" for nr in range(5, 75, 7))

_KINDS = """
UPDATE datasets_dataset SET category = (ARRAY['mc', 'user', 'csc', 'testpanda'])[1 + id % 4],
  data_type = (ARRAY['EVNT', 'AOD'])[1 + id % 10 / 9], scope = 'mc09', n_files = 1,
  n_bytes = 1000000, summed_at = now()
WHERE category = ''
"""


_BY = "source_id, destination_id, activity, vo"
_DAYS = f"""
INSERT INTO datasets_transferday (hour, {_BY}, done, failed, tries, bytes, seconds)
SELECT date_trunc('day', hour, 'UTC'), {_BY}, sum(done), sum(failed), sum(tries), sum(bytes),
  sum(seconds)
FROM datasets_transfersum GROUP BY 1, {_BY}
"""


def add(grid: Grid, *, links: int) -> None:
    """A replica of each file, a subscription for every tenth dataset, blocks, a week of sums
    with so many links in each hour."""
    with connection.cursor() as cursor:
        cursor.execute(_KINDS)
    n = Dataset.objects.count()
    at = _storage(len(grid.sites))
    lowest = {model: fill.lowest(model) for model in (Dataset, File)}
    replica = {"file_id": f"{lowest[File]} + k", "storage_id": at, "created_at": "now()"}
    fill.insert(Replica, replica, n)
    copy = {"dataset_id": f"{lowest[Dataset]} + k", "storage_id": at}
    fill.insert(DatasetCopy, copy | {"files": "1", "bytes": "1000000"}, n)
    _wishes(n // 10, grid)
    _blocks(round(BLOCKS * n), grid)
    _week(grid, links)
    now = database_now()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    sums.tally(now)
    Patrol.objects.update_or_create(
        name=flowsums.SWEEP, defaults={"after": 0, "news_until": now - flowsums.HOUR}
    )
    flowsums.run(now)


def _storage(sites: int, step: int = 0) -> str:
    """The storage element of the k-th site, `step` places on."""
    storages = f"(SELECT array_agg(storage_id ORDER BY id) FROM {SiteStorage._meta.db_table})"
    return f"{storages}[1 + (k + {step}) % {sites}]"


def _wishes(n: int, grid: Grid) -> None:
    """Of every tenth dataset; those that are open have a transfer that was tried once."""
    part = round(1 / OPEN)
    wish = {
        "dataset_id": f"{fill.lowest(Dataset)} + 10 * k",
        "storage_id": _storage(len(grid.sites), 1),
        "state": f"CASE WHEN k % {part} = 0 THEN 'open' ELSE 'done' END",
        "created_at": f"now() - interval '1 h' * (k % {HOURS})",
        "done_at": f"CASE WHEN k % {part} = 0 THEN NULL ELSE now() END",
    }
    fill.insert(Subscription, wish, n)
    moves = {
        "file_id": f"{fill.lowest(File)} + {10 * part} * k",
        "destination_id": _storage(len(grid.sites), 1),
        "created_at": "now()",
        "next_try_at": "now() + interval '30 min'",
        "attempts": "1",
        "error": "'BNL_DISK: timed out after 60 s, file ' || k",
        "reason": "'timed out'",
    }
    fill.insert(Transfer, moves, n // part)


def _blocks(n: int, grid: Grid) -> None:
    """Dispatch blocks of one file each that travel."""
    given = {
        "name": "'panda.evgen.' || k || '_dis' || k",
        "type": "'dispatch'",
        "state": "'frozen'",
        "destination_id": _storage(len(grid.sites), 1),
        "created_at": "now()",
        "state_changed_at": f"now() - interval '1 min' * (k % {60 * HOURS})",
    }
    fill.insert(Dataset, given, n)
    first = f"(SELECT min(id) FROM {Dataset._meta.db_table} WHERE type = 'dispatch')"
    files = {"dataset_id": f"{first} + k", "file_id": f"{fill.lowest(File)} + k"}
    fill.insert(DatasetFile, files, n)


def _week(grid: Grid, links: int) -> None:
    """In each of HOURS hours; a tenth of the links have failures; and space."""
    sites = len(grid.sites)
    storages = f"(SELECT array_agg(storage_id ORDER BY id) FROM {SiteStorage._meta.db_table})"
    nr = f"(k % {links})"
    link = {
        "hour": f"date_trunc('hour', now()) - interval '1 h' * (k / {links})",
        "source_id": f"{storages}[1 + {nr} % {sites}]",
        "destination_id": f"{storages}[1 + ({nr} / {sites} * 7 + {nr}) % {sites}]",
        "activity": f"(ARRAY['production', 'analysis'])[1 + {nr} % 2]",
        "vo": "'atlas'",
    }
    moved = {"done": "k % 50", "failed": "k % 3", "tries": "k % 9"}
    fill.insert(
        TransferSum, link | moved | {"bytes": "1000000 * (k % 50)", "seconds": "60"}, HOURS * links
    )
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
    few = {name: text.replace(str(links), str(links // 10)) for name, text in link.items()}
    why = {"reason": "'reason ' || k % 12", "n": "1 + k % 3", "sample": "'error ' || k"}
    fill.insert(
        TransferFailure, few | why | {"transfer": "k", "latest": "now()"}, HOURS * (links // 10)
    )
    space = {
        "storage_id": _storage(sites),
        "hour": f"date_trunc('hour', now()) - interval '1 h' * (k / {sites})",
        "capacity_bytes": "10000000000000",
        "free_bytes": "4000000000000",
    }
    fill.insert(SpaceSample, space, min(720, links) * sites)
