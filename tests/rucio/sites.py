"""Storage elements that both sides know, and what happens to the files there."""

from __future__ import annotations

import json
import shutil
import uuid
import zlib
from pathlib import Path
from typing import Any

from datasets.models import Dataset, File, StorageElement, Subscription
from datasets.storage.base import path_of
from datasets.subscriptions import Terms, subscribe
from tests.builders import NOW, create_dataset, create_file, create_storage, manned_site
from tests.rucio.server import RucioServer

FAR, NEAR = "FAR-DISK", "NEAR-DISK"  # names in Rucio


class Sites:
    """Our storage elements for Rucio's, and a crowd that copies in place of FTS."""

    def __init__(self, server: RucioServer, folders: dict[str, Path]) -> None:
        self.server, self.folders = server, folders
        self.site = manned_site("NEAR", with_storage=False)
        self.near = self._storage("NEAR_DATADISK", NEAR, sites=[self.site])
        self.far = self._storage("FAR_DATADISK", FAR)

    def _storage(self, name: str, rse: str, **more: Any) -> StorageElement:
        url = f"file://{self.folders[rse]}"
        return create_storage(name, url=url, ddm_name=rse, **more)

    def store(self, storage: StorageElement, lfn: str, content: bytes) -> dict[str, Any]:
        """Bytes at a storage element; what the catalogue is to say of them."""
        path = self.folders[storage.name_elsewhere] / path_of("mc09", lfn)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"size": len(content), "adler32": f"{zlib.adler32(content):08x}"}

    def file(self, content: bytes = b"4 l numbers") -> File:
        """A file of the far storage element, of a name that Rucio does not know yet."""
        lfn = f"EVNT.{uuid.uuid4()}.root"
        return create_file(lfn, at=[self.far], **self.store(self.far, lfn, content))

    def bring(self, file: File, storage: StorageElement) -> None:
        """Copy it as FTS would, and tell Rucio that it is there."""
        to = self.folders[storage.name_elsewhere] / path_of(file.scope, file.lfn)
        (come_from,) = (
            path
            for folder in self.folders.values()
            if (path := folder / path_of(file.scope, file.lfn)).exists() and path != to
        )
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(come_from, to)
        self.say(file, storage, state="A")

    def say(self, file: File, storage: StorageElement, **facts: str) -> None:
        """What has become of a copy: A(vailable), U(navailable)."""
        did = {"scope": file.scope, "name": file.lfn} | facts
        self.server.call("PUT", "/replicas", {"rse": storage.name_elsewhere, "files": [did]})

    def rule(self, reference: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.call("GET", f"/rules/{reference}").json()
        return found

    def content(self, dataset: Dataset) -> set[tuple[str, int, str]]:
        """(LFN, bytes, adler32) of a dataset in Rucio."""
        lines = self.server.call("GET", f"/dids/mc09/{dataset.name}/files").text.splitlines()
        files = [json.loads(line) for line in lines]
        return {(one["name"], one["bytes"], one["adler32"]) for one in files}


def wish(sites: Sites, *files: File, priority: int = 0) -> Subscription:
    """These files in a dataset, wished for near."""
    dataset = create_dataset()
    for file in files:
        dataset.members.create(file=file)
    terms = Terms(vo="atlas", owner="alice", priority=priority)
    return subscribe(dataset, sites.near, activity="production", now=NOW, terms=terms)


def fresh(row: Any) -> Any:
    row.refresh_from_db()
    return row
