"""The transfer engine, on real files: whole and proven, or not at all."""

import pytest

from datasets import engine, services, storage, subscriptions
from datasets.models import Replica, Transfer
from pandasite.base.clock import database_now
from tests.builders import create_dataset, create_file
from tests.datasets.disks import (
    CONTENT,
    due,
    fresh,
    known_file,
    leftovers,
    store,
    visible,
    where,
)

pytestmark = pytest.mark.django_db


def replica(file, disk):
    return Replica.objects.filter(file=file, storage=disk).first()


# -- the good case -----------------------------------------------------------------------------


def test_a_file_arrives_whole_and_is_registered(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is True

    done = fresh(transfer)
    assert where(aglt2, file).read_bytes() == CONTENT
    assert replica(file, aglt2).state == "available"
    assert (done.state, done.source, done.bytes_moved) == ("done", bnl, len(CONTENT))
    assert (done.attempts, done.error, done.lease_until) == (1, "", None)
    assert done.ended_at is not None
    assert leftovers(aglt2) == []


def test_an_empty_file_is_a_file(disks):
    bnl, _, aglt2 = disks
    file = known_file(b"")
    store(bnl, file, b"")

    assert engine.run(due(file, aglt2).pk)

    assert where(aglt2, file).read_bytes() == b""


def test_a_second_call_does_nothing(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)
    engine.run(transfer.pk)
    before = fresh(transfer).ended_at

    assert engine.run(transfer.pk) is False

    assert (fresh(transfer).ended_at, fresh(transfer).attempts) == (before, 1)


def test_a_transfer_that_does_not_exist_is_nothing_to_do():
    assert engine.run(4711) is False


def test_a_file_that_is_there_already_is_not_copied_again(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    path = store(aglt2, file)
    path.write_bytes(b"untouched")
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk)

    assert path.read_bytes() == b"untouched"
    assert (fresh(transfer).state, fresh(transfer).bytes_moved) == ("done", 0)


def test_a_bad_copy_at_the_destination_is_replaced(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    store(aglt2, file, b"broken")
    Replica.objects.filter(storage=aglt2).update(state="bad", reason="size is 6 bytes")

    assert engine.run(due(file, aglt2).pk)

    assert where(aglt2, file).read_bytes() == CONTENT
    assert (replica(file, aglt2).state, replica(file, aglt2).reason) == ("available", "")


def test_the_arrival_of_the_last_file_ends_the_subscription(disks):
    bnl, _, aglt2 = disks
    files = [known_file(), known_file()]
    block = create_dataset(type="dispatch")
    services.add_files(block, files)
    for file in files:
        store(bnl, file)
    subscription = subscriptions.subscribe(block, aglt2, activity="production", now=database_now())

    states = []
    for transfer in Transfer.objects.order_by("pk"):
        engine.run(transfer.pk)
        subscription.refresh_from_db()
        states.append(subscription.state)

    assert states == ["open", "done"]


# -- bad sources -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1] + b"X", "adler32 is"),
        (CONTENT[:-5], "size is 3895 bytes, the catalogue says 3900"),
    ],
)
def test_a_source_with_other_content_is_marked_and_another_one_serves(disks, content, reason):
    bnl, cern, aglt2 = disks
    file = known_file()
    store(bnl, file, content)
    store(cern, file)
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk)

    assert replica(file, bnl).state == "bad"
    assert replica(file, bnl).reason.startswith(reason)
    assert fresh(transfer).source == cern
    assert where(aglt2, file).read_bytes() == CONTENT
    assert leftovers(aglt2) == []


def test_a_source_without_the_file_is_passed_over(disks):
    bnl, cern, aglt2 = disks
    file = known_file()
    store(bnl, file).unlink()
    store(cern, file)

    assert engine.run(due(file, aglt2).pk)

    assert replica(file, bnl).state == "available"  # it may be a mount that is away


def test_a_source_that_breaks_off_is_passed_over(disks, monkeypatch):
    bnl, cern, aglt2 = disks
    file = known_file()
    store(bnl, file)
    store(cern, file)
    transfer = due(file, aglt2)
    open_storage = storage.open_storage

    def failing(url):
        filesystem, path = open_storage(url)
        return (BrokenReads(filesystem) if url == bnl.url else filesystem), path

    monkeypatch.setattr(storage, "open_storage", failing)

    assert engine.run(transfer.pk)
    assert fresh(transfer).source == cern


def test_a_copy_that_breaks_off_leaves_nothing_behind(disks, monkeypatch):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    monkeypatch.setattr(storage, "_pieces", pieces_that_break_off)

    assert engine.run(due(file, aglt2).pk) is False

    assert visible(aglt2) == leftovers(aglt2) == []


def pieces_that_break_off(reader, url):
    yield reader.read(10)
    raise storage.SourceError("reading broke off")


class BrokenReads:
    """A file system whose files end with an error after the first piece."""

    def __init__(self, filesystem):
        self.filesystem = filesystem

    def open(self, path, mode):
        return BrokenFile(self.filesystem.open(path, mode))


class BrokenFile:
    def __init__(self, file):
        self.file, self.pieces = file, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def read(self, size):
        if self.pieces:
            raise OSError(5, "Input/output error")
        self.pieces += 1
        return self.file.read(10)


def test_an_address_that_nobody_can_read_is_passed_over(disks):
    bnl, cern, aglt2 = disks
    file = known_file()
    store(bnl, file)
    store(cern, file)
    type(bnl).objects.filter(pk=bnl.pk).update(url="gsiftp://bnl.example.org/")

    assert engine.run(due(file, aglt2).pk)


def test_a_file_whose_every_source_is_bad_is_given_up_at_once_with_the_reasons(disks):
    bnl, cern, aglt2 = disks
    file = known_file()
    store(bnl, file, b"broken")
    store(cern, file, CONTENT + b"more")
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is False

    lost = fresh(transfer)
    assert (lost.state, lost.attempts) == ("failed", 1)
    assert "bnl: size is 6 bytes" in lost.error
    assert "cern: size is 3904 bytes" in lost.error
    assert visible(aglt2) == leftovers(aglt2) == []


def test_a_file_that_was_never_anywhere_is_given_up_with_the_reason(disks):
    transfer = due(create_file("EVNT.1"), disks[2])

    engine.run(transfer.pk)

    assert (fresh(transfer).state, fresh(transfer).error) == (
        "failed", "no good replica of mc09:EVNT.1",
    )  # fmt: skip
