"""The controls: what these tests look for is found where it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.flow.installation import eventually
from tests.flow.journal import overlaps, runs
from tests.flow.processes import Family, alive, below, seconds_until_gone

# Its child has another session, no environment, and soon no parent.
ESCAPE = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "60"], {})
    os._exit(0)
os.wait()
"""


def journal(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "journal"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    return path


def test_two_runs_of_a_job_at_the_same_time_are_seen(tmp_path: Path) -> None:
    lines = ("7.1 100 1.0", "7.1 100 2.0", "7.2 200 1.9", "7.2 200 3.0")

    [found] = overlaps(runs(journal(tmp_path, *lines)))

    assert found == "7.2 (process 200) began 0.10 s before the end of 7.1 (process 100)"


@pytest.mark.parametrize(
    "lines",
    [
        ("7.1 100 1.0", "7.1 100 2.0", "7.2 200 2.1", "7.2 200 3.0"),
        ("7.1 100 1.0", "7.1 100 2.0", "8.1 200 1.5", "8.1 200 3.0"),
        (),
    ],
    ids=["one after the other", "two jobs", "nothing"],
)
def test_other_runs_do_not_overlap(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert overlaps(runs(journal(tmp_path, *lines))) == []


def test_a_process_that_ran_away_is_found(orphans: None) -> None:
    family = Family()

    subprocess.run([sys.executable, "-c", ESCAPE], check=True)

    eventually(lambda: [one.name() for one in family.living()] == ["sleep"])
    for one in family.living():
        one.kill()
    assert seconds_until_gone(family.living(), limit=5) < 5


def test_a_zombie_is_not_alive() -> None:
    ended = subprocess.Popen(["true"])
    process = psutil.Process(ended.pid)

    eventually(lambda: process.status() == psutil.STATUS_ZOMBIE)

    assert not alive(process)
    assert below(process) == []
    ended.wait()
