"""What the pilot makes of the server's words."""

from __future__ import annotations

import itertools
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from pilot_client.errors import JobFailed
from pilot_client.isolation import Sandbox
from pilot_client.server import jittered, seconds, waits
from pilot_client.text import clean, tail
from pilot_client.wire import Job, Lease
from tests.pilot.harness import LEASE_TOKEN


def answer(**fields: Any) -> dict[str, Any]:
    return {
        "panda_id": 7,
        "attempt_nr": 2,
        "lease_token": LEASE_TOKEN,
        "transformation": "evgen.py",
        "atlas_release": "Atlas-14.5.0",
        "cmt_config": "x86_64-linux-py3",
        "storage": {"url": "file:///data/AGLT2 disk%20#1"},
    } | fields


def test_what_an_answer_leaves_out_has_a_default() -> None:
    job, lease = Job.of(answer()), Lease.of(answer())

    assert job.storage == Path("/data/AGLT2 disk%20#1")
    assert (job.inputs, job.outputs, job.log) == ((), (), None)
    assert (job.memory_mb, job.disk_mb, job.max_seconds) == (0, 0, 0)
    assert (lease.name, lease.lease_seconds, lease.heartbeat_seconds) == ("7.2", 7200, 1800)


def test_a_lease_does_not_show_its_token() -> None:
    assert LEASE_TOKEN not in repr(Lease.of(answer()))


def test_a_checksum_may_carry_its_kind() -> None:
    entry = {"lfn": "a", "path": "d/a", "size": 1, "adler32": "ad:1A2B3C"}

    [wanted] = Job.of(answer(input_files=[entry])).inputs

    assert wanted.adler32 == "001a2b3c"
    assert wanted.path == PurePosixPath("d/a")


@pytest.mark.parametrize(
    "fields",
    [
        {"transformation": None},
        {"transformation": "/bin/sh"},
        {"transformation": "a/../../b"},
        {"transformation": "nu\0ll"},
        {"atlas_release": "a/b"},
        {"atlas_release": ".."},
        {"max_disk_count": "many"},
        {"max_disk_count": float("nan")},
        {"min_ram_count": True},
        {"input_files": {}},
        {"input_files": [None]},
        {"input_files": [{"lfn": "a"}]},
        {"output_files": [{"lfn": "a/b", "path": "a/b"}]},
        {"output_files": [{"lfn": "-rf", "path": "a"}]},
        {"output_files": [{"lfn": "a", "path": "/etc/a"}]},
        {"output_files": [{"lfn": "a" * 251, "path": "a"}]},
        {"log_file": {"lfn": "log..tgz", "path": "a"}},
        {"storage": None},
        {"storage": {}},
        {"storage": {"url": "file://elsewhere/data"}},
        {"storage": {"url": "relative"}},
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_trusted_is_refused(fields: dict[str, Any]) -> None:
    if fields == {"input_files": {}}:
        fields = {"input_files": {"a": 1}}

    with pytest.raises(JobFailed):
        Job.of(answer(**fields))


def test_waits_grow_to_the_cap_and_are_jittered() -> None:
    many = list(itertools.islice(waits(cap=60), 20))

    assert all(0.25 <= wait <= 60 for wait in many)
    assert many[0] <= 0.5
    assert all(wait >= 30 for wait in many[8:])
    assert len(set(many)) == 20
    assert all(10 <= jittered(10) <= 12.5 for _ in range(100))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), (2.5, 2.5), ("-3", 0), ("1e9", 600), ("nan", None), ("soon", None), (None, None)],
)
def test_a_retry_after_is_bounded(text: object, expected: float | None) -> None:
    assert seconds(text) == expected


def test_a_tail_begins_with_whole_characters(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    path.write_bytes("é".encode() * 10)

    assert tail(path, size=5) == "\ufffdéé"
    assert tail(tmp_path / "nothing") == ""
    assert clean("a\r\nb\tc\x00\x1b\x85\u2028") == "a\nb\tc" + "\ufffd" * 4


def test_a_sandbox_shows_again_what_lies_in_a_hidden_folder() -> None:
    sandbox = Sandbox(
        program="/usr/bin/bwrap",
        hidden=(Path("/"),),
        secret=Path("/x/token"),
        readable=(Path("/x/software"),),
        network=False,
    )

    command = sandbox.wrap(["/bin/true"], work=Path("/x/work/1.1/work"), readable=[Path("/x/se")])

    text = " ".join(command)
    assert "--tmpfs / --ro-bind /x/software /x/software --ro-bind /x/se /x/se" in text
    assert text.index("--ro-bind /x/se") < text.index("--bind /x/work")
    assert command[-2:] == ["--", "/bin/true"]


def test_a_sandbox_follows_a_link_to_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "data" / "se").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    sandbox = Sandbox(
        program="bwrap",
        hidden=(tmp_path / "data",),
        secret=Path("/x/token"),
        readable=(),
        network=False,
    )

    command = sandbox.wrap(["true"], work=tmp_path, readable=[tmp_path / "link" / "se"])

    shown = str(tmp_path / "data" / "se")
    assert " ".join(["--ro-bind", shown, shown]) in " ".join(command)
