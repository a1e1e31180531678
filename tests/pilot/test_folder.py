"""The job's folder: whose it is, and what of it outlives a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilot_client.control import Stopping
from pilot_client.deliver import deliver
from pilot_client.folder import Busy, JobFolder, disk_usage
from pilot_client.joblog import MEMBER_BYTES, last_bytes
from pilot_client.server import Server
from tests.pilot.fake_server import REPORT, FakeServer
from tests.pilot.harness import Site


def test_a_folder_in_use_cannot_be_taken(tmp_path: Path) -> None:
    folder = JobFolder.create(workdir=tmp_path, name="1.1")

    with pytest.raises(Busy):
        JobFolder.open(folder.path)

    folder.release()
    JobFolder.open(folder.path).release()


def test_a_state_is_read_back_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    folder = JobFolder.create(workdir=tmp_path, name="1.1")
    folder.save(stage="payload")
    folder.release()

    again = JobFolder.open(folder.path)
    assert again.state == {"stage": "payload"}
    again.release()

    (folder.path / "state.json").write_text("{")
    with pytest.raises(ValueError, match="no readable state"):
        JobFolder.open(folder.path)


def test_a_folder_of_the_same_name_is_emptied(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("precious")
    folder = JobFolder.create(workdir=tmp_path, name="1.1")
    (folder.work / "link").symlink_to(kept)
    folder.release()

    again = JobFolder.create(workdir=tmp_path, name="1.1")

    assert list(again.work.iterdir()) == []
    assert kept.read_text() == "precious"
    assert again.remove()
    assert not again.path.exists()


def test_linked_inputs_do_not_count_as_used_disk(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "big").symlink_to(tmp_path / "storage" / "big")
    (tmp_path / "work" / "own").write_bytes(b"x" * 1000)

    assert 1000 <= disk_usage(tmp_path / "work") < 2000


def test_a_long_file_goes_into_the_log_with_its_end(tmp_path: Path) -> None:
    path = tmp_path / "payload.stdout"
    with path.open("wb") as file:
        file.truncate(MEMBER_BYTES + 5)
        os.pwrite(file.fileno(), b"the end", MEMBER_BYTES - 2)

    content = last_bytes(path)

    assert content.startswith(b"[the first 5 bytes are cut off]\n\0")
    assert content.endswith(b"the end")


def test_a_report_that_cannot_be_handed_in_now_is_kept(server: FakeServer, site: Site) -> None:
    # given a server that is away, and a pilot that is asked to end
    server.faults[REPORT].append((503, {}, {}))
    folder = JobFolder.create(workdir=site.workdir, name="1.1")
    report = {"panda_id": 1, "attempt_nr": 1, "state": "failed", "seq": 1}
    folder.save(final=report)

    def stopping(_: float) -> None:
        raise Stopping

    # when
    with pytest.raises(Stopping):
        door = Server(url=server.url, token_file=site.token_file)
        deliver(server=door, report=report, folder=folder, pause=stopping)

    # then the next pilot can take it over
    assert JobFolder.open(folder.path).state["final"] == report
