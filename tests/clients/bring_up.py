"""The launcher of these tests: the product's own, with one queue and pilots of ours.

`python -m tests.clients.bring_up` runs until it is told to end. What a test needs to know is in
`ready.json` in the data folder once everything is up.
"""

from __future__ import annotations

import json
import sys
import uuid
import zlib
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402

from brokerage.models import VO, Cloud, Site  # noqa: E402
from datasets import services  # noqa: E402
from datasets.models import Dataset, SiteStorage, StorageElement  # noqa: E402
from datasets.registry import NewFile  # noqa: E402
from datasets.states import DatasetState  # noqa: E402
from datasets.storage import path_of  # noqa: E402
from jobs import identity  # noqa: E402
from pandasite.base.clock import database_now  # noqa: E402
from pandasite.demo import pilots  # noqa: E402
from pandasite.launcher import Stack  # noqa: E402
from tests.clients.grid import DATASET, DISK, FILES, PILOTS, QUEUE, READY, SCOPE, USER  # noqa: E402


def main() -> None:
    with Stack(say=say) as stack:
        home = stack.home.path
        site = load(home / "se")
        start_pilots(stack, home, identity.new_pilot_token(site, days=1))
        facts = {
            "url": stack.url,
            "client": identity.client_token(identity.person(USER), days=1),
            "stranger": identity.client_token(identity.person("mallory"), days=1),
            "storage": str(home / "se"),
        }
        part = home / "ready.part"
        part.write_text(json.dumps(facts), encoding="ascii")
        part.replace(home / READY)
        stack.run()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def start_pilots(stack: Stack, home: Path, token: str) -> None:
    """As a batch system would; their payloads are kept apart where the machine allows that."""
    (home / "software").mkdir()
    token_file = home / "pilot.token"
    token_file.write_text(token, encoding="ascii")
    environment = pilots.environment(stack.child_environment(), code=settings.BASE_DIR)
    for slot in range(1, PILOTS + 1):
        work = home / f"work{slot}"
        work.mkdir()
        options = {
            "--server": stack.url.rstrip("/"), "--site": QUEUE, "--token-file": str(token_file),
            "--workdir": str(work), "--software": str(home / "software"), "--node": f"wn{slot:02d}",
            "--memory": "2000", "--cores": "1", "--poll": "1", "--heartbeat": "1",
            "--hide": str(home),
        }  # fmt: skip
        words = [word for option in options.items() for word in option]
        argv = [sys.executable, "-m", "pilot_client", *words]
        stack.add(f"pilot{slot}", argv, environment)


def load(root: Path) -> Site:
    """The queue and its disk, with the data on it and in the catalogue."""
    root.mkdir()
    VO.objects.create(name="atlas")
    cloud = Cloud.objects.create(name="LOCAL", releases_checked=False)
    site = Site.objects.create(name=QUEUE, cloud=cloud, slots=PILOTS)
    cloud.tier1 = site
    cloud.save()
    disk = StorageElement.objects.create(
        name=DISK, url=f"file://{root}", capacity_bytes=10**12, free_bytes=10**12
    )
    SiteStorage.objects.create(site=site, storage=disk)
    now = database_now()
    dataset = services.ensure_datasets([DATASET], type=Dataset.Type.INPUT, now=now)[DATASET]
    for lfn, text in FILES.items():
        content = text.encode()
        path = root / path_of(SCOPE, lfn)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        new = NewFile(
            scope=SCOPE,
            lfn=lfn,
            guid=str(uuid.uuid4()),
            size=len(content),
            adler32=f"{zlib.adler32(content):08x}",
        )
        services.register_file(new, storage=disk, dataset=dataset, now=now)
    services.set_dataset_state(dataset, DatasetState.FROZEN, now=now)
    return site


if __name__ == "__main__":
    main()
