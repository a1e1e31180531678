"""Last year's events: a dataset that lies at a Tier-1 before the wave that reads it.

The stored copy of one of its two files is tampered with, so that a transfer has something to
find out. Made anew for each wave, because a source once found bad is never read again.
"""

import datetime as dt
import subprocess
import sys
import uuid
import zlib
from pathlib import Path

from datasets import services
from datasets.models import Dataset, StorageElement
from datasets.registry import NewFile
from datasets.storage import path_of
from pandasite.demo.grid import DemoFolder, site_named
from pandasite.demo.productions import ARCHIVE_SCOPE
from pandasite.demo.software import transformations
from pandasite.demo.wave import Wave, archive_dataset, sound_file, tampered_file

PLACE = site_named("TRIUMF")
EVENTS = 100
NAMESPACE = uuid.UUID("6f0f4a8e-6d3a-5d7e-9f39-0c7a8f2d1b11")  # GUIDs that a repeat finds again


def prepare(folder: DemoFolder, wave: Wave, *, now: dt.datetime) -> None:
    """Store both files of the wave's archive, one of them damaged, and register both as sound.

    The damage is done before anybody can know the file, so no transfer sees it sound.
    """
    sample = generate(folder)
    sound = sample.read_bytes()
    store(folder, sound_file(wave), sound)
    store(folder, tampered_file(wave), damaged(sound))
    register(wave, sound, now=now)


def generate(folder: DemoFolder) -> Path:
    """One small event file, made by the release's own program once per installation."""
    sample = folder.root / "archive" / "sample.npz"
    if not sample.exists():
        sample.parent.mkdir(parents=True, exist_ok=True)
        program = str(transformations() / "evgen.py")
        wanted = ["--events", str(EVENTS), "--seed", "2008", "--output", sample.name]
        subprocess.run(
            [sys.executable, "-B", program, *wanted],
            cwd=sample.parent,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )
    return sample


def store(folder: DemoFolder, lfn: str, content: bytes) -> None:
    """Put a file in its place in the storage element."""
    path = folder.storage(PLACE) / path_of(ARCHIVE_SCOPE, lfn)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def damaged(content: bytes) -> bytes:
    """The content with the bits of its middle byte flipped: the size stays, the checksum not."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def register(wave: Wave, content: bytes, *, now: dt.datetime) -> None:
    """Enter both files with this content into the catalogue; a repeat changes nothing."""
    name = archive_dataset(wave)
    dataset = services.ensure_datasets([name], type=Dataset.Type.INPUT, now=now)[name]
    storage = StorageElement.objects.get(name=PLACE.storage)
    for lfn in (sound_file(wave), tampered_file(wave)):
        new = NewFile(
            scope=ARCHIVE_SCOPE,
            lfn=lfn,
            guid=str(uuid.uuid5(NAMESPACE, lfn)),
            size=len(content),
            adler32=f"{zlib.adler32(content):08x}",
            events=EVENTS,
        )
        services.register_file(new, storage=storage, dataset=dataset, now=now)
