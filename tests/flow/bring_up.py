"""The launcher of these tests: the product's own, with the light grid and its pilots.

`python -m tests.flow.bring_up` runs until it is told to end. What a test needs to know of it
(process number, address, the token to submit with) is written to `ready.json` in the data folder
once everything is up.
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

from django.conf import settings  # noqa: E402

from datasets import services  # noqa: E402
from datasets.models import Dataset, StorageElement  # noqa: E402
from datasets.registry import NewFile  # noqa: E402
from datasets.storage import path_of  # noqa: E402
from pandasite.base.clock import database_now  # noqa: E402
from pandasite.demo import accounts, pilots  # noqa: E402
from pandasite.demo.grid import CMT_CONFIG, DemoFolder, Place  # noqa: E402
from pandasite.demo.load import load_grid  # noqa: E402
from pandasite.demo.software import put, with_interpreter  # noqa: E402
from pandasite.launcher import Stack  # noqa: E402
from tests.flow.grid import (  # noqa: E402
    ARCHIVE,
    ARCHIVE_BYTES,
    ARCHIVE_DATASET,
    HOME,
    PILOTS,
    PROGRAM,
    REGIONS,
    SCOPE,
    SITES,
)
from tests.flow.pilot_command import pilot_command  # noqa: E402

READY = "ready.json"


def main() -> None:
    with Stack(say=say) as stack:
        folder = DemoFolder(stack.home.path)
        load_grid(folder, now=database_now(), regions=REGIONS, sites=SITES)
        register_archive(folder)
        for place in SITES:
            install(folder, place)
            accounts.write_token(folder, place, accounts.pilot_token(place))
        start_pilots(stack, folder)
        tell(stack.home.path / READY, url=stack.url, token=accounts.manager_token())
        stack.run()
        say("stopping")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(path: Path, *, url: str, token: str) -> None:
    """Written whole: the test looks for it all the time."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"pid": os.getpid(), "url": url, "token": token}), encoding="ascii")
    part.replace(path)


def install(folder: DemoFolder, place: Place) -> None:
    """The tests' program as each release of the site."""
    script = Path(__file__).with_name(PROGRAM).read_text(encoding="utf-8")
    for release in place.releases:
        area = folder.software(place) / release / CMT_CONFIG
        area.mkdir(parents=True, exist_ok=True)
        put(area / PROGRAM, with_interpreter(script, sys.executable), mode=0o755)


def start_pilots(stack: Stack, folder: DemoFolder) -> None:
    environment = pilots.environment(stack.child_environment(), code=settings.BASE_DIR)
    for place, number in PILOTS.items():
        for slot in range(1, number + 1):
            argv = pilot_command(folder, place, slot=slot, server=stack.url)
            stack.add(pilots.pilot_name(place, slot), argv, environment)


def register_archive(folder: DemoFolder) -> None:
    """The large file: nothing but zeros, which cost no room where they lie first."""
    path = folder.storage(HOME) / path_of(SCOPE, ARCHIVE)
    if path.exists():
        return
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(ARCHIVE_BYTES)
    now = database_now()
    dataset = services.ensure_datasets([ARCHIVE_DATASET], type=Dataset.Type.INPUT, now=now)
    new = NewFile(
        scope=SCOPE,
        lfn=ARCHIVE,
        guid=str(uuid.uuid4()),
        size=ARCHIVE_BYTES,
        adler32=f"{zlib.adler32(bytes(ARCHIVE_BYTES)):08x}",
    )
    storage = StorageElement.objects.get(name=HOME.storage)
    services.register_file(new, storage=storage, dataset=dataset[ARCHIVE_DATASET], now=now)


if __name__ == "__main__":
    main()
