"""Jobs at sites whose storage is not mounted on the nodes."""

from __future__ import annotations

import zlib
from typing import Any

from datasets import storage
from datasets.storage import Address
from tests.pilot.fake_server import FakeServer
from tests.pilot.harness import Site

CONTENT = b"minimum bias\n" * 20_000


class Hurry(Exception):
    """The pilot has to go."""


def entry(lfn: str, body: bytes) -> dict[str, Any]:
    return {
        "lfn": lfn,
        "scope": "mc09",
        "guid": "0",
        "size": len(body),
        "adler32": f"{zlib.adler32(body):08x}",
        "dataset": "d",
        "path": storage.path_of("mc09", lfn),
    }


def put(address: Address, lfn: str, body: bytes) -> None:
    expected = storage.Copied(size=len(body), adler32=f"{zlib.adler32(body):08x}")
    path = storage.path_of("mc09", lfn)
    arrival = storage.open_place(address).arrive(path, tag="t1.1", expected=expected)
    arrival.fill(iter([body]))
    arrival.publish()


def got(address: Address, lfn: str) -> bytes:
    path = storage.path_of("mc09", lfn)
    with storage.open_place(address).read(path) as pieces:
        return b"".join(pieces)


def run(site: Site, server: FakeServer, job: dict[str, Any], *more: str) -> dict[str, Any]:
    server.jobs.append(job)
    ended = site.run(server, *more)
    assert ended.code == 0, ended.log
    assert "canary" not in ended.log
    final: dict[str, Any] = server.finals()[-1]
    return final


def job_at(site: Site, address: Address, script: str, *, reads: dict[str, Any], writes: str) -> Any:
    """A job as the server answers it, at a site with this storage."""
    job = site.job(script, input_files=[reads], storage={"name": "SE", "url": address.url})
    path = storage.path_of("mc09", writes)
    job["output_files"] = [{"lfn": writes, "scope": "mc09", "dataset": "d", "path": path}]
    if address.url.startswith("s3://"):
        place: Any = storage.open_place(address)
        for file in (*job["input_files"], *job["output_files"], job["log_file"]):
            write = file not in job["input_files"]
            file["url"] = place.signed(file["path"], write=write, lasts=600)
    return job
