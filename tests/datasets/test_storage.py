"""Where files lie, and copies that are seen whole or not at all. No database."""

import os
import zlib

import pytest

from datasets import storage

CONTENT = b"minimum bias " * 1000


@pytest.fixture
def urls(tmp_path):
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    return [f"file://{tmp_path / name}" for name in ("source", "target")]


@pytest.fixture
def stored(tmp_path, urls):
    """The path of a file that lies at the source."""
    path = storage.path_of("mc09", "EVNT.1")
    (tmp_path / "source" / path).parent.mkdir(parents=True)
    (tmp_path / "source" / path).write_bytes(CONTENT)
    return path


def files_below(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_a_file_lies_at_the_same_place_everywhere_and_below_its_scope():
    path = storage.path_of("mc09", "EVNT.1")

    assert path == storage.path_of("mc09", "EVNT.1")
    assert path.startswith("mc09/")
    assert path.endswith("/EVNT.1")


def test_a_file_lies_where_rucio_and_the_pilots_of_panda_look_for_it():
    """The example in panda-pilot's own source."""
    path = storage.path_of("user.jwebb2", "user.jwebb2.66999._000001.top1outDS.tar")

    assert path == "user/jwebb2/01/9f/user.jwebb2.66999._000001.top1outDS.tar"


def test_names_that_meet_in_a_text_do_not_meet_on_the_disk():
    assert storage.path_of("a", "b.c") != storage.path_of("a.b", "c")


def test_nothing_is_seen_before_it_is_named(tmp_path, urls, stored):
    target = tmp_path / "target" / stored

    copied = storage.copy(*urls, stored, tag="t1")
    assert not target.exists()
    storage.publish(urls[1], stored, tag="t1")

    assert target.read_bytes() == CONTENT
    assert (copied.size, copied.adler32) == (len(CONTENT), f"{zlib.adler32(CONTENT):08x}")
    assert files_below(tmp_path / "target") == ["EVNT.1"]


def test_a_name_and_its_folders_are_seen_to_the_disk(tmp_path, urls, stored, monkeypatch):
    storage.copy(*urls, stored, tag="t1")
    synced, fsync = [], os.fsync

    def noted(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)

    storage.publish(urls[1], stored, tag="t1")

    folder = (tmp_path / "target" / stored).parent
    assert synced == [str(level) for level in (folder, *folder.parents[:3])]


def test_nothing_is_seen_while_it_is_copied(tmp_path, urls, stored, monkeypatch):
    monkeypatch.setattr(storage, "CHUNK", 1000)
    seen = []

    def look(size):
        seen.append((size, (tmp_path / "target" / stored).exists()))

    storage.copy(*urls, stored, tag="t1", progress=look)

    assert [size for size, _ in seen] == [*range(1000, 13001, 1000)]
    assert not any(there for _, there in seen)


def test_a_copy_that_is_given_up_leaves_nothing(tmp_path, urls, stored):
    storage.copy(*urls, stored, tag="t1")

    storage.discard(urls[1], stored, tag="t1")
    storage.discard(urls[1], stored, tag="t1")

    assert files_below(tmp_path / "target") == []


def test_a_file_that_is_not_there_is_the_sources_fault(urls):
    with pytest.raises(storage.SourceError, match="cannot read at file:"):
        storage.copy(*urls, storage.path_of("mc09", "EVNT.9"), tag="t1")


def test_a_place_that_cannot_be_written_is_not_the_sources_fault(tmp_path, urls, stored):
    (tmp_path / "target").rmdir()
    (tmp_path / "target").write_text("in the way")

    with pytest.raises(storage.StorageError) as refusal:
        storage.copy(*urls, stored, tag="t1")

    assert not isinstance(refusal.value, storage.SourceError)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "memory://x", "s3://bucket", "/etc", "gopher://x", ""]
)
def test_only_known_kinds_of_address_are_opened(url):
    with pytest.raises(storage.StorageError, match="protocol"):
        storage.open_storage(url)


def test_the_checksum_of_a_stored_file(urls, stored):
    found = storage.checksum(urls[0], stored)

    assert found == storage.Copied(size=len(CONTENT), adler32=f"{zlib.adler32(CONTENT):08x}")
    assert storage.checksum(urls[1], stored) is None


def test_a_checksum_has_eight_digits_also_when_it_is_small(tmp_path, urls):
    path = storage.path_of("mc09", "EMPTY")
    (tmp_path / "source" / path).parent.mkdir(parents=True)
    (tmp_path / "source" / path).touch()

    assert storage.checksum(urls[0], path) == storage.Copied(size=0, adler32="00000001")
