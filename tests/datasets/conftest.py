"""Two sources and a destination, each a folder of its own; and a storage of each kind.

Imports are inside: this file is read before Django is set up.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def disks(db: None, tmp_path: Path) -> list[Any]:
    from tests.datasets.disks import create_disk

    return [create_disk(tmp_path, name) for name in ("bnl", "cern", "aglt2")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The addresses of a storage element of each kind."""
    from datasets import storage
    from datasets.storage import Address
    from tests.datasets import servers, xrootd

    folder = tmp_path_factory.mktemp("storage")
    certificate = servers.certificate(folder)
    (folder / "file").mkdir()
    with (
        servers.webdav(folder / "dav") as dav,
        servers.webdav(folder / "davs", certificate=certificate) as davs,
        servers.s3("grid", "other") as endpoint,
        xrootd.xrootd() if xrootd.find("xrootd") else nullcontext() as root,
    ):
        yield {
            "file": Address(url=f"file://{folder}/file"),
            "dav": Address(url=dav, secret="dav"),
            "davs": Address(url=davs, secret="dav"),
            "s3": Address(url="s3://grid/disk", endpoint=endpoint, secret="s3"),
            "other": Address(url="s3://other", endpoint=endpoint, secret="s3"),
            "certificate": certificate,
            **({"root": Address(url=f"{root.url}//disk"), "data": root.data} if root else {}),
        }
        storage.close_places()


@pytest.fixture
def places(
    running: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch, request: Any
) -> dict[str, Any]:
    """Each kind, opened; what a test before this one has stored is no longer there."""
    from datasets import storage
    from tests.datasets import servers, xrootd
    from tests.datasets.copies import KINDS, PATH

    settings.PANDASITE_STORAGE_CA = str(running["certificate"])
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_DAV", f"{servers.USER}:{servers.PASSWORD}")
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_S3", f"{servers.S3_KEY}:{servers.S3_SECRET}")
    if "root" in request.node.name:
        xrootd.program("xrootd")  # skipped without it
    kinds = [kind for kind in (*KINDS, "other") if kind in running]
    opened = {kind: storage.open_place(running[kind]) for kind in kinds}
    for place in opened.values():
        place.remove(PATH)
    return opened
