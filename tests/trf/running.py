"""The transformations, run as the programs that they are, with nothing of ours to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from jobs.trf import ends
from jobs.trf.programs import program
from tests.panda.sandboxes import archive

SANDBOX = archive(("run.sh", b"#!/bin/sh\necho $@\n"))


def run(folder: Path, trf: str, *words: str) -> tuple[int, str]:
    """(exit code, what was said), in a folder that is the job's."""
    found = program(trf)
    assert found is not None
    (folder / trf).write_bytes(found.text)
    done = subprocess.run(
        [sys.executable, "-I", "-S", trf, *words],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def failure(folder: Path, trf: str, *words: str) -> tuple[int, str]:
    """What the pilot is told: the code, without its thousands, and the sentence."""
    status, _said = run(folder, trf, *words)
    report = json.loads((folder / "jobReport.json").read_text())
    assert report["exitCode"] == ends.EXE + status
    return status, report["exitMsg"]
