"""The launcher of these tests: the product's own, with one queue and no pilots.

`python -m tests.pilots.bring_up` runs until it is told to end. What a test needs to know is in
`ready.json` in the data folder once everything is up.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
import zlib
from pathlib import Path

import django

django.setup()

from brokerage.models import VO, Cloud, Site  # noqa: E402
from datasets import services  # noqa: E402
from datasets.models import Dataset, SiteStorage, StorageElement  # noqa: E402
from datasets.registry import NewFile  # noqa: E402
from datasets.storage import path_of  # noqa: E402
from jobs import identity  # noqa: E402
from pandasite.base.clock import database_now  # noqa: E402
from pandasite.launcher import Stack  # noqa: E402
from tests.pilots.grid import (  # noqa: E402
    DATA,
    DATASET,
    DISK,
    NUMBERS,
    PASSWORD,
    PROGRAMS,
    QUEUE,
    READY,
    SCOPE,
    USER,
)


def main() -> None:
    with Stack(say=say) as stack:
        root = stack.home.path / "se"
        site = load(root)
        user = identity.person(USER)
        user.set_password(PASSWORD)
        user.save()
        facts = {
            "pid": os.getpid(),
            "url": stack.url,
            "tls_url": stack.tls_url,
            "user": identity.new_token(user, days=1),
            "pilot": identity.new_pilot_token(site, days=1),
            "storage": str(root),
        }
        part = stack.home.path / "ready.part"
        part.write_text(json.dumps(facts), encoding="ascii")
        part.replace(stack.home.path / READY)
        stack.run()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def load(root: Path) -> Site:
    """The queue and its disk, with the programs and their data, on it and in the catalogue."""
    root.mkdir()
    root.chmod(0o777)  # pilots may run as somebody else
    VO.objects.create(name="atlas")
    cloud = Cloud.objects.create(name="LOCAL", releases_checked=False)
    site = Site.objects.create(name=QUEUE, cloud=cloud, slots=4)
    cloud.tier1 = site
    cloud.save()
    disk = StorageElement.objects.create(
        name=DISK, url=f"file://{root}", capacity_bytes=10**12, free_bytes=10**12
    )
    SiteStorage.objects.create(site=site, storage=disk)
    now = database_now()
    dataset = services.ensure_datasets([DATASET], type=Dataset.Type.INPUT, now=now)[DATASET]
    for lfn, text in {**PROGRAMS, DATA: NUMBERS}.items():
        content = text.encode()
        put(root / path_of(SCOPE, lfn), content)
        new = NewFile(
            scope=SCOPE,
            lfn=lfn,
            guid=str(uuid.uuid4()),
            size=len(content),
            adler32=f"{zlib.adler32(content):08x}",
        )
        services.register_file(new, storage=disk, dataset=dataset, now=now)
    return site


def put(path: Path, content: bytes) -> None:
    """Folders that whoever runs a pilot may write into, and a file that it may run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.parents[:4]:
        folder.chmod(0o777)
    path.write_bytes(content)
    path.chmod(0o755)


if __name__ == "__main__":
    main()
