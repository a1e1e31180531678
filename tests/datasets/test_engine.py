"""The transfer engine, on real files: whole and proven, or not at all."""

import os

import pytest

from datasets import engine, services, subscriptions
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
    assert done.proof == "re-read"
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
    path = str(store(bnl, file))
    store(cern, file)
    transfer = due(file, aglt2)
    broken_after_the_first_piece(monkeypatch, path)

    assert engine.run(transfer.pk)
    assert fresh(transfer).source == cern
    assert replica(file, bnl).state == "available"


def test_a_copy_that_breaks_off_leaves_nothing_behind(disks, monkeypatch):
    bnl, _, aglt2 = disks
    file = known_file()
    path = str(store(bnl, file))
    broken_after_the_first_piece(monkeypatch, path)
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is False

    assert visible(aglt2) == leftovers(aglt2) == []
    assert "broke off" in fresh(transfer).error
    assert fresh(transfer).reason == "connection lost"


def broken_after_the_first_piece(monkeypatch, path):
    """The file at `path` cannot be read to its end."""
    sendfile, pread = os.sendfile, os.pread

    def is_it(handle):
        return os.readlink(f"/proc/self/fd/{handle}") == path

    def broken_sendfile(out, source, offset, count):
        if is_it(source) and offset:
            raise OSError(5, "Input/output error")
        return sendfile(out, source, offset, 10 if is_it(source) else count)

    def broken_pread(handle, count, offset):
        if is_it(handle):
            raise OSError(5, "Input/output error")
        return pread(handle, count, offset)

    monkeypatch.setattr(os, "sendfile", broken_sendfile)
    monkeypatch.setattr(os, "pread", broken_pread)


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
