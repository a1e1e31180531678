"""Pilots at sites whose storage is not mounted: WebDAV with a secret, and S3 signed."""

from __future__ import annotations

import subprocess
import zlib
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from datasets import engine, storage
from datasets.models import Transfer
from datasets.storage import Address
from pandasite.base.clock import database_now
from pilot_client import remote
from tests.builders import create_file, create_replica, create_storage, create_transfer
from tests.datasets import servers
from tests.pilot.away import CONTENT, Hurry, entry, got, job_at, put, run
from tests.pilot.fake_server import FakeServer
from tests.pilot.harness import Site

pytestmark = pytest.mark.usefixtures("secrets")
SCRIPT = "tr a-z A-Z < {} | sort -r > {}; cksum {} >> {}"


def test_a_job_reads_and_writes_by_webdav(
    server: FakeServer, site: Site, dav: Address, secret: str, tmp_path: Path
) -> None:
    put(dav, "EVNT.1", CONTENT)
    job = job_at(site, dav, "cat EVNT.1 > HIST.1", reads=entry("EVNT.1", CONTENT), writes="HIST.1")

    final = run(site, server, job, "--storage-secret", secret)

    [output] = final["output_files"]
    assert (final["state"], got(dav, "HIST.1")) == ("finished", CONTENT)
    assert output["adler32"] == f"{zlib.adler32(CONTENT):08x}"
    assert (tmp_path / "dav/mc08/log/log.1.tgz").stat().st_size == final["log_file"]["size"]
    assert not list((tmp_path / "dav").rglob(".*.part"))


@pytest.mark.parametrize(
    ("reads", "code", "words"),
    [
        (entry("EVNT.2", CONTENT), 1331, "is not in the local storage"),
        (entry("EVNT.1", CONTENT) | {"adler32": "00000001"}, 1171, "has adler32"),
    ],
    ids=["missing", "corrupt"],
)
def test_a_bad_input_fails_the_job_before_the_payload(
    server: FakeServer,
    site: Site,
    dav: Address,
    secret: str,
    reads: dict[str, Any],
    code: int,
    words: str,
) -> None:
    put(dav, "EVNT.1", CONTENT)
    job = job_at(site, dav, "touch HIST.1", reads=reads, writes="HIST.1")

    final = run(site, server, job, "--storage-secret", secret)

    assert (final["state"], final["pilot_error_code"]) == ("failed", code)
    assert words in final["pilot_error_diag"]


def test_a_pilot_without_the_secret_says_so(server: FakeServer, site: Site, dav: Address) -> None:
    put(dav, "EVNT.1", CONTENT)
    job = job_at(site, dav, "touch HIST.1", reads=entry("EVNT.1", CONTENT), writes="HIST.1")

    final = run(site, server, job)

    assert final["pilot_error_code"] == 1099
    assert "401" in final["pilot_error_diag"]


def test_a_pilot_whose_secret_is_not_there_says_so(
    server: FakeServer, site: Site, dav: Address, secret: str
) -> None:
    put(dav, "EVNT.1", CONTENT)
    Path(secret).unlink()
    job = job_at(site, dav, "touch HIST.1", reads=entry("EVNT.1", CONTENT), writes="HIST.1")

    final = run(site, server, job, "--storage-secret", secret)

    assert final["pilot_error_code"] == 1099
    assert f"the secret of the storage, {secret}, cannot be read" in final["pilot_error_diag"]


def test_what_ends_a_stage_out_is_told_also_when_the_storage_goes_away(tmp_path: Path) -> None:
    (tmp_path / "HIST.1").write_bytes(CONTENT)

    def stop() -> None:
        raise Hurry

    def goes_away(server: Any, connection: Any, request: bytes) -> None:
        if request.startswith(b"MKCOL"):
            servers.says("201 Created")(server, connection, request)

    with servers.Raw(goes_away) as server, (tmp_path / "HIST.1").open("rb") as file:
        away = remote.Remote(url=f"http://127.0.0.1:{server.port}")
        with pytest.raises(Hurry):
            away.put(PurePosixPath("mc09/HIST.1"), "", file, check=stop)


@pytest.mark.django_db
def test_four_sites_with_four_protocols_make_the_same_bits(
    server: FakeServer, site: Site, dav: Address, root: Address, secret: str, tmp_path: Path
) -> None:
    # given input at a folder, and a job at each of the other three
    with servers.s3("grid") as endpoint:
        (tmp_path / "folder").mkdir()
        folder = create_storage("FOLDER", url=f"file://{tmp_path}/folder")
        webdav = create_storage("WEBDAV", url=dav.url, secret="dav")
        bucket = create_storage("BUCKET", url="s3://grid/x", endpoint=endpoint, secret="s3")
        xroot = create_storage("XROOT", url=root.url)
        put(folder.address, "EVNT.1", CONTENT)

        # when each runs at its site, with what the one before has made, and the last comes home
        came, body, source = "EVNT.1", CONTENT, folder
        for number, (place, made) in enumerate(
            [(webdav, "HITS.1"), (bucket, "AOD.1"), (xroot, "NTUP.1")], start=1
        ):
            move(came, body, source, place)
            script = SCRIPT.format(came, made, came, made)
            job = job_at(site, place.address, script, reads=entry(came, body), writes=made)
            more = ["--storage-secret", secret] if place == webdav else []
            assert run(site, server, job | {"panda_id": number}, *more)["state"] == "finished"
            came, body, source = made, got(place.address, made), place
        move(came, body, source, folder)

        # then it is what the same steps make at one place
        steps = ["EVNT.1", "HITS.1", "AOD.1", "NTUP.1"]
        assert got(folder.address, "NTUP.1") == body == at_one_place(tmp_path / "plain", steps)
        storage.close_places()


def move(lfn: str, body: bytes, source: Any, destination: Any) -> None:
    """Let the engine bring a file that lies at the source."""
    about: Any = {"size": len(body), "adler32": f"{zlib.adler32(body):08x}"}
    file = create_file(lfn, **about)
    create_replica(file, source)
    transfer = create_transfer(file, destination, created_at=database_now())
    assert engine.work(0) == 1, Transfer.objects.get(pk=transfer.pk).error


def at_one_place(folder: Path, steps: list[str]) -> bytes:
    """The output of the scripts, one after the other, with no grid around them."""
    folder.mkdir()
    (folder / "EVNT.1").write_bytes(CONTENT)
    for one, other in pairwise(steps):
        words = ["/bin/sh", "-c", SCRIPT.format(one, other, one, other)]
        subprocess.run(
            words, cwd=folder, check=True, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        )
    return (folder / steps[-1]).read_bytes()
