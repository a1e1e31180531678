"""Servers of WebDAV and S3 in a process of their own, which can be halted as a whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "grid"


@dataclass(frozen=True)
class Apart:
    """The process, and the addresses that it serves."""

    pid: int
    dav: str
    s3: str

    @contextmanager
    def halted(self) -> Iterator[None]:
        """The kernel takes what is sent, and nobody answers."""
        halt(self.pid)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


def halt(pid: int) -> None:
    """SIGSTOP; returns when it stands still."""
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "Tt":
        assert time.monotonic() < until
        time.sleep(0.01)


@contextmanager
def servers_apart(folder: Path) -> Iterator[Apart]:
    """Both servers; they end with this process's end of the pipe."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.datasets.halting", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    try:
        said = next(line for line in child.stdout if line.startswith("{"))  # moto talks as well
        yield Apart(pid=child.pid, **json.loads(said))
    finally:
        child.kill()
        child.communicate()


def main() -> None:
    from tests.datasets import servers

    with servers.webdav(Path(sys.argv[1])) as dav, servers.s3(BUCKET) as s3:
        sys.stdout.write(json.dumps({"dav": dav, "s3": s3}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
