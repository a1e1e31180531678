"""A site in a folder, real pilots that work there, and what is to be seen of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.pilot.fake_server import FakeServer

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "canary-token-5f3a9c"
LEASE_TOKEN = "canary-lease-77b1d0"


class Site:
    """A work folder, a storage, a software area and a token, as a worker node sees them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workdir = root / "work"
        self.storage = root / "storage"
        self.software = root / "software"
        self.release = self.software / "Atlas-14.5.0" / "x86_64-linux-py3"
        self.token_file = root / "token"
        self.started: list[subprocess.Popen[str]] = []
        for folder in (self.workdir, self.storage, self.release):
            folder.mkdir(parents=True)
        self.token_file.write_text(TOKEN + "\n")
        self.token_file.chmod(0o600)

    def transformation(self, script: str, *, name: str = "trf.sh") -> str:
        """Install a transformation; without a first line of its own it is a shell script."""
        path = self.release / name
        path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return name

    def put(self, path: str, content: bytes) -> dict[str, Any]:
        """Store a file; its entry in `input_files`."""
        target = self.storage / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return {
            "lfn": target.name,
            "scope": "mc08",
            "guid": "0",
            "size": len(content),
            "adler32": f"{zlib.adler32(content):08x}",
            "dataset": "d",
            "path": path,
        }

    def job(
        self, script: str = "exit 0", *, outputs: tuple[str, ...] = (), **fields: Any
    ) -> dict[str, Any]:
        """A job answer that runs this script."""
        return {
            "panda_id": 1,
            "attempt_nr": 1,
            "lease_token": LEASE_TOKEN,
            "lease_seconds": 60,
            "heartbeat_seconds": 0.3,
            "transformation": self.transformation(script),
            "job_parameters": "",
            "atlas_release": "Atlas-14.5.0",
            "cmt_config": "x86_64-linux-py3",
            "core_count": 1,
            "min_ram_count": 0,
            "max_disk_count": 0,
            "max_cpu_count": 0,
            "input_files": [],
            "output_files": [
                {"lfn": lfn, "scope": "mc08", "dataset": "d", "path": f"mc08/d/{lfn}"}
                for lfn in outputs
            ],
            "log_file": {"lfn": "log.1.tgz", "scope": "mc08", "path": "mc08/log/log.1.tgz"},
            "storage": {"name": "SE", "url": f"file://{self.storage}"},
        } | fields

    def command(self, server: FakeServer, *more: str, isolation: str = "none") -> list[str]:
        return [
            *(sys.executable, "-m", "pilot_client", "--server", server.url, "--site", "AGLT2"),
            *("--token-file", str(self.token_file), "--workdir", str(self.workdir)),
            *("--software", str(self.software), "--node", "wn01", "--poll", "0.2"),
            *("--isolation", isolation, *more),
        ]

    def start(
        self, server: FakeServer, *more: str, isolation: str = "none"
    ) -> subprocess.Popen[str]:
        """Start a pilot."""
        pilot = subprocess.Popen(
            self.command(server, *more, isolation=isolation),
            cwd=ROOT,
            env=os.environ | {"SECRET_OF_THE_PILOT": TOKEN},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(pilot)
        return pilot

    def clean_up(self) -> None:
        """End the pilots that a failed test left behind."""
        for pilot in self.started:
            if pilot.returncode is None:
                kill(pilot)

    def run(self, server: FakeServer, *more: str, isolation: str = "none") -> Ended:
        """Run a pilot for one job and wait for its end."""
        return end_of(self.start(server, "--once", *more, isolation=isolation))

    def run_all(self, server: FakeServer, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run jobs one after the other in one pilot; their final reports in order."""
        for number, job in enumerate(jobs, start=1):
            server.jobs.append(job | {"panda_id": number})
        ended = end_of(self.start(server, "--max-jobs", str(len(jobs))))
        assert ended.code == 0, ended.log
        finals = sorted(server.finals(), key=lambda report: int(report["panda_id"]))
        assert [report["panda_id"] for report in finals] == list(range(1, len(jobs) + 1))
        return finals

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.workdir.iterdir())


class Ended:
    """A pilot that has ended: exit code and log."""

    def __init__(self, code: int, log: str) -> None:
        self.code = code
        self.log = log


def end_of(pilot: subprocess.Popen[str], timeout: float = 90) -> Ended:
    """Wait for it; a pilot that does not end is killed and fails the test."""
    try:
        _, log = pilot.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        pilot.kill()
        _, log = pilot.communicate()
        raise AssertionError(f"the pilot did not end:\n{log}") from None
    return Ended(pilot.returncode, log)


def kill(pilot: subprocess.Popen[str]) -> None:
    """As the batch system does at its worst."""
    pilot.send_signal(signal.SIGKILL)
    pilot.communicate()


def eventually(true: Callable[[], Any], *, within: float = 60, what: str = "") -> None:
    """Wait for another process, for as short as it takes."""
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, what or "did not happen"
        time.sleep(0.02)


def running(pid: int) -> bool:
    """Whether it runs; a zombie waits only to be collected."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def with_word(word: str) -> list[int]:
    """Processes that have this word in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if word in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
