"""Files that move: many small ones, a large one, and a long queue beside the pilots."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from benchmarks import fill
from benchmarks.bed import Bed, Data, moment, number, query
from benchmarks.figures import kit
from benchmarks.files import CHUNK, LFN, SCOPE, adler32_of, queue, write
from benchmarks.grid import Grid
from benchmarks.meter import Usage, memory_mb
from benchmarks.result import Bound, Figure
from datasets import engine
from datasets.models import StorageElement, Transfer
from datasets.storage import path_of

FILES, DATASETS = 10_000, 500
SMALL_BYTES = 2_000
LARGE_BYTES = 4 * 2**30
QUEUED = 100_000
CLAIMED = 20_000
WORKERS = ("mover-1", "mover-2")
SECONDS = 600.0  # after which it is given up


def run(bed: Bed) -> Iterator[Figure]:
    """transfer_small, transfer_large."""
    folder = bed.home.path / "moving"
    try:
        yield _small(bed, folder)
        yield _large(bed, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _small(bed: Bed, folder: Path) -> Figure:
    n = bed.scaled(FILES, least=200)
    bodies = [os.urandom(SMALL_BYTES - 8) + nr.to_bytes(8, "big") for nr in range(n)]
    paths = [path_of(SCOPE, LFN.format(nr)) for nr in range(n)]
    for body, path in zip(bodies, paths, strict=True):
        write(folder / "from" / path, body)
    loop = _bare_loop(folder, paths)
    sums = [f"{zlib.adler32(body):08x}" for body in bodies]
    sizes = [SMALL_BYTES] * n
    bed.restore(Data("moving", 1, lambda grid: None))
    queue(folder, sizes, sums, datasets=max(1, round(DATASETS * n / FILES)))
    seconds, usage, memory = _moved(bed, n)
    right = sum(
        (folder / "to" / path).read_bytes() == body
        for body, path in zip(bodies, paths, strict=True)
    )
    return Figure(
        figure="transfer_small",
        value=n / seconds,
        unit="files/s",
        baseline=n / loop,
        must=Bound(limit=300, unit="files/s"),
        conditions={
            "at least 0.15 of the bare loop": loop / seconds >= 0.15,
            "every file is what was sent": right == n,
            "every state is kept": _kept() == (n, n),
            "every subscription is done": not number(
                "SELECT count(*) FROM datasets_subscription WHERE state <> 'done'"
            ),
            "no half file is left": not list((folder / "to").rglob(".*.part")),
        },
        details={
            "files": n,
            "bytes_each": SMALL_BYTES,
            "workers": len(WORKERS),
            "cpu_us": usage.per(n),
            "foreign_cores": usage.foreign,
            "memory_mb": memory,
        },
    )


def _large(bed: Bed, folder: Path) -> Figure:
    size = max(CHUNK, round(LARGE_BYTES * bed.scale) // CHUNK * CHUNK)
    shutil.rmtree(folder, ignore_errors=True)
    path = path_of(SCOPE, LFN.format(0))
    piece = os.urandom(CHUNK)
    write(folder / "from" / path, *[piece] * (size // CHUNK))
    adler32 = adler32_of(folder / "from" / path)  # and it is in memory, for both
    plain = _cp_and_sum(folder / "from" / path, folder / "copy")
    bed.restore(Data("moving", 1, lambda grid: None))
    queue(folder, [size], [adler32], datasets=1)
    os.sync()
    seconds, usage, memory = _moved(bed, 1)
    return Figure(
        figure="transfer_large",
        value=seconds,
        unit="s",
        baseline=plain,
        must=Bound(limit=1.5, at_most=True, of_ratio=True),
        conditions={
            "at most 150 MB in a worker": memory <= 150,
            "the file is what was sent": adler32_of(folder / "to" / path) == adler32,
            "its state is kept": _kept() == (1, 1),
        },
        details={
            "bytes": size,
            "memory_mb": memory,
            "cpu_us": usage.per(1),
            "foreign_cores": usage.foreign,
        },
    )


def _bare_loop(folder: Path, paths: list[str]) -> float:
    """Seconds that the same copies and checksums take without any database."""
    begun = time.monotonic()
    for path in paths:
        target = folder / "bare" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "from" / path, target)
        zlib.adler32(target.read_bytes())
    return time.monotonic() - begun


def _cp_and_sum(source: Path, target: Path) -> float:
    """Seconds of `cp` and of an adler32 pass over the copy."""
    os.sync()
    begun = time.monotonic()
    subprocess.run([shutil.which("cp") or "/bin/cp", str(source), str(target)], check=True)
    adler32_of(target)
    seconds = time.monotonic() - begun
    target.unlink()
    return seconds


def _moved(bed: Bed, n: int) -> tuple[float, Usage, float]:
    """Seconds until all are done by two workers that are up; CPU, and the most memory in MB."""
    for name in WORKERS:
        _start_worker(bed, name)
    _await(lambda: number("SELECT count(*) FROM base_serverprocess") >= len(WORKERS))
    memory, pids = 0.0, [bed.stack.running()[name] for name in WORKERS]
    begun, meter = time.monotonic(), bed.meter()
    engine.schedule(moment())
    while _kept()[0] < n and time.monotonic() - begun < SECONDS:
        memory = max(memory, *(max(memory_mb(pid), default=0.0) for pid in pids))
        time.sleep(0.05)
    seconds, usage = time.monotonic() - begun, meter.read()
    for name in WORKERS:
        bed.stack.remove(name)
    return seconds, usage, memory


def _start_worker(bed: Bed, name: str) -> None:
    words = ("-m", "celery", "-A", "pandasite", "worker", "-n", f"{name}@%h", "-l", "WARNING")
    options = ("--without-gossip", "--without-mingle", "-Q", "transfers", "-P", "threads")
    bed.stack.add(
        name,
        [sys.executable, *words, *options, "-c", "1"],
        bed.stack.child_environment(),
        cwd=str(settings.BASE_DIR),
    )


def _await(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not reached():
        if time.monotonic() > until:
            raise RuntimeError("the workers did not start within a minute")
        time.sleep(0.1)


def _kept() -> tuple[int, int]:
    """Transfers that are done, and good replicas at the destination."""
    return (
        number("SELECT count(*) FROM datasets_transfer WHERE state = 'done'"),
        number(
            "SELECT count(*) FROM datasets_replica r JOIN datasets_storageelement s"
            " ON s.id = r.storage_id WHERE s.name = 'to' AND r.state = 'available'"
        ),
    )


# -- beside the pilots -------------------------------------------------------------------------


@dataclass(frozen=True)
class Beside:
    """A window of claims, with the sweeps and the workers running."""

    p99_ms: float
    right: bool


def beside_the_pilots(bed: Bed) -> Iterator[Figure]:
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


def _claims(bed: Bed, grid: Grid, n: int) -> Beside:
    bed.start_site("worker", "transfers")
    claims = kit.claims(bed, grid, connections=kit.CLIENTS, jobs=int(0.8 * n))
    bed.end_site()
    return Beside(p99_ms=claims.load.tally.as_json()["p99_ms"], right=claims.right)


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
