"""Content that is read and written for others than the engine."""

import os
from pathlib import Path

import pytest

from datasets import content
from tests.datasets.disks import CONTENT, known_file, store, where

pytestmark = pytest.mark.django_db


def is_open(path):
    handles = Path("/proc/self/fd").iterdir()
    return str(path) in {os.readlink(handle) for handle in handles if handle.is_symlink()}


@pytest.mark.parametrize("end", ["read", "left", "never begun"])
def test_a_download_hangs_up_however_it_ends(disks, end):
    file = known_file()
    path = store(disks[0], file)
    reading = content.Reading(disks[0], content.path(file))
    assert is_open(path)

    if end == "read":
        assert b"".join(reading) == CONTENT
    else:
        if end == "left":
            assert next(iter(reading)) == CONTENT
        reading.close()

    assert not is_open(path)


def upload(disk, file):
    about = {"size": file.size, "adler32": file.adler32}
    with content.arriving(disk, content.path(file), iter([CONTENT]), **about) as publish:
        publish()


def test_what_is_uploaded_is_on_the_disk_before_anybody_relies_on_it(disks, monkeypatch):
    file, synced, fsync = known_file(), [], os.fsync

    def noted(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    upload(disks[0], file)

    name = where(disks[0], file)
    assert {str(name), str(name.parent)} <= set(synced)


def test_an_upload_that_the_disk_does_not_take_is_refused(disks, monkeypatch):
    def broken(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(content.StorageError, match="No space left"):
        upload(disks[0], known_file())
