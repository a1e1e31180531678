"""Files that move: many small ones, and a large one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings

from benchmarks.bed import Bed, Data, moment, number
from benchmarks.files import CHUNK, LFN, SCOPE, adler32_of, queue, write
from benchmarks.meter import Usage, memory_mb
from benchmarks.result import Bound, Figure
from datasets import engine
from datasets.storage import path_of

FILES, DATASETS = 10_000, 500
SMALL_BYTES = 2_000
LARGE_BYTES = 4 * 2**30
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
    wait_until(
        lambda: number("SELECT count(*) FROM base_serverprocess") >= len(WORKERS), seconds=60
    )
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


def wait_until(reached: Callable[[], bool], *, seconds: float) -> None:
    """Raises RuntimeError when it takes longer."""
    until = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > until:
            raise RuntimeError(f"the workers did not begin within {seconds:.0f} s")
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
