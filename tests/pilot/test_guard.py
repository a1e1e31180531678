"""The guard by itself, with a grace of a moment."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from pilot_client.guard import Spec, renew_lease
from pilot_client.payload import start_guard
from tests.pilot.harness import eventually, with_word


def spec(tmp_path: Path, script: str, **fields: Any) -> Spec:
    """A payload that is a line of shell."""
    defaults: dict[str, Any] = {
        "argv": ["/bin/sh", "-c", script],
        "cwd": str(tmp_path),
        "env": {"PATH": "/usr/bin:/bin"},
        "stdout": str(tmp_path / "stdout"),
        "stderr": str(tmp_path / "stderr"),
        "pilot_pid": os.getpid(),
        "grace": 0.3,
        "fsize": 0,
        "wrapped": False,
        "lease": str(tmp_path / "lease"),
    }
    return Spec(**(defaults | fields))


def result_of(spec: Spec, *, signal_at: Path | None = None) -> dict[str, Any]:
    """Run the guard to its end; SIGTERM it as soon as that file exists."""
    guard = start_guard(spec)
    assert guard.stdout is not None
    with guard.stdout as said:
        if signal_at is not None:
            eventually(signal_at.exists)
            guard.send_signal(signal.SIGTERM)
        result = json.loads(said.read())
    assert guard.wait() == 0
    return dict(result)


def test_it_tells_status_and_cpu_time(tmp_path: Path) -> None:
    result = result_of(spec(tmp_path, "exit 3"))

    assert result["status"] == 3
    assert result["swept"] == 0
    assert result["cpu_seconds"] < 5
    assert result["max_rss_bytes"] > 0


def test_a_payload_that_listens_to_sigterm_may_end_by_itself(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 5' TERM; touch {ready}; while :; do sleep 0.05; done"

    result = result_of(spec(tmp_path, script, grace=10), signal_at=ready)

    assert result["status"] == 5


def test_a_payload_that_does_not_listen_is_killed_after_the_grace(
    tmp_path: Path, word: str
) -> None:
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.{word}; done"
    begun = time.monotonic()

    result = result_of(spec(tmp_path, script), signal_at=ready)

    assert result["status"] == -signal.SIGKILL
    assert time.monotonic() - begun < 5
    assert with_word(f"0.{word}") == []


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    result = result_of(spec(tmp_path, "", argv=["/no/such/program"]))

    assert result == {"error": "cannot start program: No such file or directory"}


def test_it_does_not_start_a_payload_for_a_pilot_that_is_gone(tmp_path: Path) -> None:
    guard = start_guard(spec(tmp_path, f"touch {tmp_path / 'ran'}", pilot_pid=1))

    assert guard.stdout is not None
    with guard.stdout as said:
        assert said.read() == b""
    assert guard.wait() == 1
    assert not (tmp_path / "ran").exists()


def test_the_end_of_the_lease_is_the_end_of_the_payload(tmp_path: Path, word: str) -> None:
    wanted = spec(tmp_path, f"trap '' TERM; sleep {word}", grace=60)
    renew_lease(Path(wanted.lease), time.monotonic() + 1)

    result = result_of(wanted)

    assert result["lease_is_over"]
    assert with_word(word) == []


def test_a_lease_that_is_renewed_lasts(tmp_path: Path) -> None:
    wanted = spec(tmp_path, "sleep 2.5")
    renew_lease(Path(wanted.lease), time.monotonic() + 60)

    result = result_of(wanted)

    assert (result["status"], result["lease_is_over"]) == (0, False)
