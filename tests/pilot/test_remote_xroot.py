"""Pilots at sites whose storage is an XRootD server."""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path, PurePosixPath

import pytest

from datasets import storage
from datasets.storage import Address
from datasets.storage.listing import entries
from pilot_client import xrootd as pilot_xrootd
from tests.pilot.away import CONTENT, Hurry, entry, got, job_at, put, run
from tests.pilot.fake_server import FakeServer
from tests.pilot.harness import Site

pytestmark = pytest.mark.usefixtures("secrets")


def test_a_job_reads_and_writes_by_root(server: FakeServer, site: Site, root: Address) -> None:
    put(root, "EVNT.1", CONTENT)
    put(root, "HIST.1", b"of an attempt before")
    job = job_at(site, root, "cat EVNT.1 > HIST.1", reads=entry("EVNT.1", CONTENT), writes="HIST.1")

    final = run(site, server, job)

    [output] = final["output_files"]
    assert (final["state"], got(root, "HIST.1")) == ("finished", CONTENT)
    assert output["adler32"] == f"{zlib.adler32(CONTENT):08x}"
    folder = storage.path_of("mc09", "HIST.1").rpartition("/")[0]
    assert [one.name for one in entries(root, folder)] == ["HIST.1"]


def test_an_input_that_is_not_at_the_xrootd_server_is_missed(
    server: FakeServer, site: Site, root: Address
) -> None:
    job = job_at(site, root, "touch HIST.1", reads=entry("EVNT.2", CONTENT), writes="HIST.1")

    final = run(site, server, job)

    assert (final["state"], final["pilot_error_code"]) == ("failed", 1331)


def test_a_node_without_the_programs_says_which(
    server: FakeServer, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    job = site.job("true", storage={"name": "SE", "url": "root://se.example.org//disk"})

    final = run(site, server, job)

    assert final["state"] == "failed"
    assert "needs xrdcp and xrdfs on this node" in final["pilot_error_diag"]


@pytest.mark.parametrize("secret", ["ddm:canary", "bearer canary"])
def test_no_token_of_a_storage_goes_in_the_open(tmp_path: Path, secret: str) -> None:
    (tmp_path / "secret").write_text(secret)
    away = pilot_xrootd.XRootD(url="root://127.0.0.1:9//x", secret=tmp_path / "secret")

    with pytest.raises(PermissionError, match="by roots:// only") as refusal:
        away.fetch(PurePosixPath("a/b"), "", into=tmp_path / "b", check=lambda: None)

    assert "canary" not in str(refusal.value)


def test_what_ends_the_pilot_ends_a_program_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xrdcp").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "xrdcp").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    calls = iter([None, None])

    def stop() -> None:
        if next(calls, Hurry) is Hurry:
            raise Hurry

    with pytest.raises(Hurry):
        pilot_xrootd.XRootD(url="root://127.0.0.1:9//x").fetch(
            PurePosixPath("a/b"), "", into=tmp_path / "b", check=stop
        )
