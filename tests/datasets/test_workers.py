"""Transfers that are tried again, and workers that die, are slow or meet."""

import datetime as dt
import os
from threading import Barrier, Thread

import pytest
from django.db import connections, transaction

from datasets import bulk, engine, services, taking
from datasets.models import Replica, Transfer
from datasets.states import TransferState
from datasets.storage import local_arrival
from datasets.subscriptions import subscribe
from pandasite.base.clock import database_now
from tests.builders import create_dataset, create_replica
from tests.datasets.disks import (
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


def wait_over(transfer):
    """As if the pause before the next try were over."""
    Transfer.objects.filter(pk=transfer.pk).update(next_try_at=database_now())


# -- again -------------------------------------------------------------------------------------


def test_a_failure_that_may_pass_is_tried_again_with_growing_pauses(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file).unlink()
    transfer = due(file, aglt2)
    pauses = []

    for _ in range(2):
        before = database_now()
        engine.run(transfer.pk)
        again = fresh(transfer)
        assert (again.state, again.lease_until) == ("queued", None)
        pauses.append(round((again.next_try_at - before).total_seconds()))
        wait_over(transfer)
    engine.run(transfer.pk)

    assert pauses == [30, 60]
    assert (fresh(transfer).state, fresh(transfer).attempts) == ("failed", 3)
    assert "bnl: cannot read at" in fresh(transfer).error


def tried_to_the_end(transfer):
    """The transfer after all of its tries."""
    for _ in range(3):
        wait_over(transfer)
        engine.run(transfer.pk)
    return fresh(transfer)


def test_a_file_that_its_only_storage_has_lost_can_never_come(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file).unlink()

    given_up = tried_to_the_end(due(file, aglt2))

    assert (given_up.state, given_up.permanent) == ("failed", True)
    assert replica(file, bnl).state == "bad"
    assert "No such file" in replica(file, bnl).reason


def test_a_source_that_is_away_as_a_whole_may_come_back(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "bnl").rename(tmp_path / "unmounted")
    (tmp_path / "bnl").mkdir()

    given_up = tried_to_the_end(due(file, aglt2))

    assert (given_up.state, given_up.permanent) == ("failed", False)
    assert replica(file, bnl).state == "available"


def test_a_destination_that_is_down_is_no_reason_to_give_up_for_good(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "aglt2").rmdir()
    (tmp_path / "aglt2").write_text("a file in the way")

    given_up = tried_to_the_end(due(file, aglt2))

    assert (given_up.state, given_up.permanent) == ("failed", False)


def test_a_destination_that_cannot_be_written_is_tried_again(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "aglt2").rmdir()
    (tmp_path / "aglt2").write_text("a file in the way")
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is False
    assert fresh(transfer).state == "queued"
    assert "cannot write at" in fresh(transfer).error

    (tmp_path / "aglt2").unlink()
    wait_over(transfer)
    assert engine.run(transfer.pk) is True


def test_a_name_that_cannot_be_given_is_tried_again(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    where(aglt2, file).mkdir(parents=True)
    (where(aglt2, file) / "in the way").touch()
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is False

    assert fresh(transfer).state == "queued"
    assert not replica(file, aglt2)


def test_a_transfer_that_rests_is_not_offered(disks):
    file = known_file()
    transfer = due(file, disks[2])
    later = database_now() + dt.timedelta(minutes=5)
    Transfer.objects.filter(pk=transfer.pk).update(next_try_at=later)

    assert engine.schedule(database_now()) == 0
    assert engine.schedule(later) == 1


# -- workers that die, and workers that meet ---------------------------------------------------


def taken(transfer):
    """A transfer that a worker holds."""
    [held] = taking.take_one(transfer.pk, now=database_now()).transfers
    return held


def finish(transfer, source=None):
    """Whether this worker could end it."""
    arrived = bulk.Arrived(transfer=transfer, source=source, size=1)
    return bulk.finish([arrived], now=database_now()) == {transfer.pk}


def abandoned(file, disk, **columns):
    """A transfer whose worker took it and was never heard of again."""
    transfer = due(file, disk)
    taken(transfer)
    past = database_now() - dt.timedelta(hours=1)
    Transfer.objects.filter(pk=transfer.pk).update(**{"lease_until": past} | columns)
    return transfer


def test_a_transfer_whose_worker_died_is_offered_again_and_done(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = abandoned(file, aglt2)

    assert engine.schedule(database_now()) == 1
    assert engine.run(transfer.pk) is True
    assert fresh(transfer).attempts == 2


def test_the_part_file_of_a_dead_worker_is_removed_by_the_next(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = abandoned(file, aglt2)
    part = where(aglt2, file).with_name(f".{file.lfn}.t{transfer.pk}.1.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    assert leftovers(aglt2) and not visible(aglt2)

    engine.schedule(database_now())
    engine.run(transfer.pk)

    assert leftovers(aglt2) == []


def test_the_part_files_of_an_earlier_transfer_are_removed_and_no_others(disks):
    bnl, _, aglt2 = disks
    file = known_file(lfn="EVNT.1")
    store(bnl, file)
    folder = where(aglt2, file).parent
    folder.mkdir(parents=True)
    for name in (".EVNT.1.t7.5.part", ".EVNT.1.t8.1.part", ".EVNT.1.more.t8.1.part", "EVNT.2"):
        (folder / name).touch()

    engine.run(due(file, aglt2).pk)

    assert {path.name for path in folder.iterdir()} == {
        "EVNT.1", "EVNT.2", ".EVNT.1.more.t8.1.part",
    }  # fmt: skip


def test_a_transfer_that_kills_every_worker_is_given_up(disks):
    transfer = abandoned(known_file(), disks[2], attempts=5)

    engine.schedule(database_now())

    assert (fresh(transfer).state, fresh(transfer).permanent) == ("failed", False)
    assert "5 workers" in fresh(transfer).error


def test_a_worker_that_only_seemed_dead_does_not_end_the_transfer_of_the_next(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)
    slow = taken(transfer)
    Transfer.objects.update(lease_until=database_now() - dt.timedelta(hours=1))
    services.release_abandoned(now=database_now())
    taken(transfer)

    assert finish(slow, bnl) is False
    services.retry_or_fail_transfer(slow, "too late", permanent=True, now=database_now())

    assert (fresh(transfer).state, fresh(transfer).error) == (TransferState.COPYING, "")


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_transfer_copy_it_once(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)
    answers = []

    def work():
        answers.append(engine.run(transfer.pk))
        connections.close_all()

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert sorted(answers) == [False, True]
    assert (fresh(transfer).attempts, Replica.objects.filter(storage=aglt2).count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_bring_the_last_two_files_at_once_end_the_subscription(disks):
    _, _, aglt2 = disks
    files, block = [known_file(), known_file()], create_dataset(type="dispatch")
    services.add_files(block, files)
    subscription = subscribe(block, aglt2, activity="production", now=database_now())
    held = [taken(transfer) for transfer in Transfer.objects.all()]
    both_have_written = Barrier(2)

    def bring(transfer):
        with transaction.atomic():
            create_replica(transfer.file, aglt2)
            both_have_written.wait(60)  # neither sees what the other has not committed
            finish(transfer)
        connections.close_all()

    workers = [Thread(target=bring, args=[transfer]) for transfer in held]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    subscription.refresh_from_db()
    assert subscription.state == "done"


def test_a_file_that_the_disk_does_not_take_is_tried_again(disks, monkeypatch):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)

    def broken(_handle):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        assert engine.run(transfer.pk) is False
    assert (fresh(transfer).state, fresh(transfer).reason) == ("queued", "input/output error")
    assert replica(file, aglt2) is None

    wait_over(transfer)
    assert engine.run(transfer.pk) is True


def test_a_long_copy_renews_its_lease(disks, settings, monkeypatch):
    settings.PANDASITE = settings.PANDASITE | {"TRANSFER_LEASE_SECONDS": 0}
    monkeypatch.setattr(local_arrival, "CHUNK", 100)
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    renew, renewed = bulk.renew, []

    def counted(bunch, *, now):
        renewed.append(now)
        return renew(bunch, now=now)

    monkeypatch.setattr(bulk, "renew", counted)

    assert engine.run(due(file, aglt2).pk)
    assert len(renewed) >= 3  # once per piece


def test_what_has_arrived_does_not_wait_for_the_large_file_behind_it(disks, monkeypatch):
    bnl, _, aglt2 = disks
    small, large = known_file(), known_file()
    for file in (small, large):
        store(bnl, file)
        due(file, aglt2)
    trip = engine.Trip(taking.take(now=database_now()))
    finish, seen = bulk.finish, []

    def noted(arrived, *, now):
        seen.append(visible(aglt2))
        return finish(arrived, now=now)

    monkeypatch.setattr(bulk, "finish", noted)
    monkeypatch.setattr(engine, "FLUSH_SECONDS", 3600)
    trip.go(trip.bunch.transfers[0])
    monkeypatch.setattr(engine, "FLUSH_SECONDS", 0)  # that long it takes to copy the next
    trip.go(trip.bunch.transfers[1])

    assert seen == [[small.lfn], sorted([small.lfn, large.lfn])]


def test_a_copy_that_was_taken_over_stops_and_shows_nothing(disks, settings, monkeypatch):
    settings.PANDASITE = settings.PANDASITE | {"TRANSFER_LEASE_SECONDS": 0}
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)
    renew = bulk.renew

    def somebody_else(bunch, *, now):
        Transfer.objects.filter(bunch=bunch).update(attempts=2, bunch=None)
        return renew(bunch, now=now)

    monkeypatch.setattr(bulk, "renew", somebody_else)

    assert engine.run(transfer.pk) is False
    assert visible(aglt2) == []
    assert (fresh(transfer).state, fresh(transfer).attempts) == ("copying", 2)
