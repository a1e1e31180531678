"""Claims beside transfers: with a long queue of them, and with files that are really copied."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from benchmarks import fill
from benchmarks.bed import Bed, moment, number, query
from benchmarks.figures import kit
from benchmarks.figures.moving import DATASETS, wait_until
from benchmarks.files import LFN, SCOPE, queue, write
from benchmarks.grid import Grid
from benchmarks.result import Bound, Figure
from datasets import engine
from datasets.models import StorageElement, Transfer
from datasets.storage import path_of

QUEUED = 100_000
CLAIMED = 20_000
COPIES, COPIED_BYTES = 20_000, 200_000
A_SECOND = (
    800  # files: more than are copied, of a window that lasts five times as long as it should
)


@dataclass(frozen=True)
class Beside:
    """A window of claims, with the sweeps and the workers running."""

    p99_ms: float
    right: bool
    left_before: int = 0
    left_after: int = 0


def the_queue(bed: Bed) -> Iterator[Figure]:
    """claim_with_transfers: the p99 of claims with a long queue of transfers, against none."""
    n = bed.scaled(CLAIMED, least=2000)
    data = kit.activated(n, "claims_beside")
    without = _claims(bed, bed.restore(data), n)
    queued = bed.scaled(QUEUED, least=1000)
    grid = bed.restore(data)
    _wait_in_queue(grid, queued)
    found = _claims(bed, grid, n)
    left = number("SELECT count(*) FROM datasets_transfer WHERE state = 'queued'")
    yield Figure(
        figure="claim_with_transfers",
        value=found.p99_ms,
        unit="ms (p99)",
        baseline=without.p99_ms,
        must=Bound(limit=2, at_most=True, of_ratio=True),
        conditions={
            "every claim is right": without.right and found.right,
            "the transfers were queued all the time": left == queued,
        },
        details={"queued": queued, "connections": kit.CLIENTS},
    )
    bed.forget(data)


def copies(bed: Bed) -> Iterator[Figure]:
    """claim_with_copies: the same while files are copied, as many at once as may be."""
    folder = bed.home.path / "copying"
    n = bed.scaled(CLAIMED, least=2000)
    data = kit.activated(n, "claims_beside")
    without = _claims(bed, bed.restore(data), n)
    grid = bed.restore(data)
    queued = bed.scaled(QUEUED, least=1000)
    _wait_in_queue(grid, queued)
    copies = max(COPIES, round(A_SECOND * 5 * bed.seconds))
    try:
        _queue_copies(folder, copies)
        found = _claims(bed, grid, n, copies=copies)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    yield Figure(
        figure="claim_with_copies",
        value=found.p99_ms,
        unit="ms (p99)",
        baseline=without.p99_ms,
        must=Bound(limit=2, at_most=True, of_ratio=True),
        conditions={
            "every claim is right": without.right and found.right,
            "files were copied all the time": 0 < found.left_after < found.left_before,
            "the others were queued all the time": _waiting_elsewhere() == queued,
        },
        details={
            "queued": queued,
            "connections": kit.CLIENTS,
            "copies_at_once": settings.PANDASITE["TRANSFER_STREAMS"],
            "bytes_each": COPIED_BYTES,
            "copied_meanwhile": found.left_before - found.left_after,
            "left_to_copy": found.left_after,
        },
    )
    bed.forget(data)


_COPIES_LEFT = (
    "SELECT count(*) FROM datasets_transfer t JOIN datasets_storageelement s"
    " ON s.id = t.destination_id WHERE s.name = 'to' AND t.state <> 'done'"
)


def _queue_copies(folder: Path, copies: int) -> None:
    """Files of one content; that the kernel has them in memory makes copying only quicker."""
    body = os.urandom(COPIED_BYTES)
    first = folder / "body"
    write(first, body)
    for nr in range(copies):
        path = folder / "from" / path_of(SCOPE, LFN.format(nr))
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(first, path)
    sums = [f"{zlib.adler32(body):08x}"] * copies
    queue(folder, [COPIED_BYTES] * copies, sums, datasets=DATASETS)


def _begin_to_copy(copies: int) -> None:
    """Waits until copies arrive."""
    engine.schedule(moment())
    wait_until(lambda: number(_COPIES_LEFT) < copies, seconds=60)


def _waiting_elsewhere() -> int:
    return number(
        "SELECT count(*) FROM datasets_transfer t JOIN datasets_storageelement s"
        " ON s.id = t.destination_id WHERE s.name <> 'to' AND t.state = 'queued'"
    )


def _claims(bed: Bed, grid: Grid, n: int, *, copies: int = 0) -> Beside:
    """Claims, while so many files are copied; what is left of them is counted at either end.

    Not when the site has ended: its workers copy on until their turn is over.
    """
    bed.start_site("worker", "transfers")
    if copies:
        _begin_to_copy(copies)
    before = number(_COPIES_LEFT)
    claims = kit.claims(bed, grid, connections=kit.CLIENTS, jobs=int(0.8 * n))
    after = number(_COPIES_LEFT)
    bed.end_site()
    p99 = claims.load.tally.as_json()["p99_ms"]
    return Beside(p99_ms=p99, right=claims.right, left_before=before, left_after=after)


def _wait_in_queue(grid: Grid, n: int) -> None:
    """So many transfers that are due, over all activities, to places that take none just now."""
    StorageElement.objects.update(max_transfers=0)
    places = [pk for (pk,) in query("SELECT id FROM datasets_storageelement ORDER BY id")]
    now = moment()
    fill.add_files(n, grid, copies=1)
    keys = [pk for (pk,) in query("SELECT id FROM datasets_file ORDER BY id DESC LIMIT %s", [n])]
    Transfer.objects.bulk_create(
        (
            Transfer(
                file_id=pk,
                destination_id=places[nr % len(places)],
                activity=("production", "user", "rebalancing")[nr % 3],
                priority=nr % 7,
                created_at=now,
                next_try_at=now,
            )
            for nr, pk in enumerate(keys)
        ),
        batch_size=5000,
    )
