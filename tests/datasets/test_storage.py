"""Where files lie, and copies that are seen whole or not at all. No database."""

import os
import zlib

import pytest

from datasets import storage
from datasets.storage import local_arrival

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


def order(urls, path, **fields):
    source, target = map(storage.open_place, urls)
    expected = storage.Copied(size=len(CONTENT), adler32=f"{zlib.adler32(CONTENT):08x}")
    about = {"source": source, "target": target, "path": path, "expected": expected, "tag": "t1.1"}
    return storage.Order(**about | fields)


def test_a_name_and_its_folders_are_seen_to_the_disk(tmp_path, urls, stored, monkeypatch):
    synced, fsync = [], os.fsync

    def noted(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)

    brought = storage.bring(order(urls, stored))
    assert (brought.proof, synced) == ("re-read", [])
    assert storage.settle([brought.unsettled]) == {}

    name = tmp_path / "target" / stored
    assert synced[0] == str(name)
    assert set(synced[1:]) == {str(level) for level in name.parents[:4]}
    assert files_below(tmp_path / "target") == ["EVNT.1"]


def test_what_the_disk_does_not_take_is_told(tmp_path, urls, stored, monkeypatch):
    brought = storage.bring(order(urls, stored)).unsettled

    def broken(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)

    refused = storage.settle([brought])
    assert "No space left" in str(refused[brought])


def test_nothing_is_seen_while_it_is_copied(tmp_path, urls, stored, monkeypatch):
    monkeypatch.setattr(local_arrival, "CHUNK", 100)
    seen = []

    def look(size):
        seen.append((size, (tmp_path / "target" / stored).exists()))

    storage.bring(order(urls, stored, progress=look))

    assert [size for size, _ in seen] == [*range(100, 13000, 100), 13000, 13000]
    assert not any(there for _, there in seen)
    assert (tmp_path / "target" / stored).read_bytes() == CONTENT


def test_a_copy_that_is_given_up_leaves_nothing(tmp_path, urls, stored):
    def stop(_done):
        raise storage.StorageError("enough")

    with pytest.raises(storage.StorageError, match="enough"):
        storage.bring(order(urls, stored, progress=stop))

    assert files_below(tmp_path / "target") == []


def test_what_arrives_is_read_again(tmp_path, urls, stored, monkeypatch):
    sendfile = os.sendfile

    def lossy(out, source, offset, count):
        moved = sendfile(out, source, offset, count)
        os.pwrite(out, b"X", 7)
        return moved

    monkeypatch.setattr(os, "sendfile", lossy)

    with pytest.raises(storage.StorageError, match="is not what was sent") as refusal:
        storage.bring(order(urls, stored))

    assert not isinstance(refusal.value, storage.SourceError)
    assert files_below(tmp_path / "target") == []


def test_a_file_that_is_not_there_is_the_sources_fault(urls):
    with pytest.raises(storage.SourceError, match="cannot read at file:"):
        storage.bring(order(urls, storage.path_of("mc09", "EVNT.9")))


def test_a_place_that_cannot_be_written_is_not_the_sources_fault(tmp_path, urls, stored):
    (tmp_path / "target").rmdir()
    (tmp_path / "target").write_text("in the way")

    with pytest.raises(storage.StorageError) as refusal:
        storage.bring(order(urls, stored))

    assert not isinstance(refusal.value, storage.SourceError)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "memory://x", "gsiftp://x", "/etc", "gopher://x", ""]
)
def test_only_known_kinds_of_address_are_opened(url):
    with pytest.raises(storage.StorageError, match="protocol"):
        storage.open_place(url)


def test_the_checksum_of_a_stored_file(urls, stored):
    found = storage.checksum(urls[0], stored)

    assert found == storage.Copied(size=len(CONTENT), adler32=f"{zlib.adler32(CONTENT):08x}")
    assert storage.checksum(urls[1], stored) is None


def test_a_checksum_has_eight_digits_also_when_it_is_small(tmp_path, urls):
    path = storage.path_of("mc09", "EMPTY")
    (tmp_path / "source" / path).parent.mkdir(parents=True)
    (tmp_path / "source" / path).touch()

    assert storage.checksum(urls[0], path) == storage.Copied(size=0, adler32="00000001")
