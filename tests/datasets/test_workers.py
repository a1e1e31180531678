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
    replica,
    store,
    visible,
    wait_over,
    where,
)

pytestmark = pytest.mark.django_db


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
