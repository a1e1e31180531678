"""How storage and links are seen to behave."""

import pytest

from datasets import engine, health, services, space
from datasets.models import Link, StorageElement, StorageHealth, Transfer
from pandasite.base.clock import database_now
from tests.builders import NOW, after, create_storage
from tests.datasets.disks import due, fresh, known_file, store

pytestmark = pytest.mark.django_db


def health_of(storage):
    return StorageHealth.objects.get(storage=storage)


def test_a_copy_is_a_success_of_both_ends_and_of_their_link(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)

    engine.run(due(file, aglt2).pk)

    assert all(health_of(end).ok_at and not health_of(end).error for end in (bnl, aglt2))
    assert health_of(bnl).latency_ms is not None
    link = Link.objects.get(source=bnl, destination=aglt2)
    assert link.success == 1 and link.bytes_per_second > 0


def test_a_source_that_cannot_be_read_is_the_one_that_fails(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file).unlink()

    engine.run(due(file, aglt2).pk)

    seen = health_of(bnl)
    assert (seen.ok_at, seen.reason) == (None, "source missing")
    assert seen.failing_since == seen.error_at and "No such file" in seen.error
    assert not StorageHealth.objects.filter(storage=aglt2).exists()
    assert Link.objects.get(source=bnl, destination=aglt2).success == 0


def test_a_destination_that_cannot_be_written_is_the_one_that_fails(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "aglt2").rmdir()
    (tmp_path / "aglt2").write_text("in the way")

    engine.run(due(file, aglt2).pk)

    assert health_of(aglt2).reason == "in the way"
    assert not StorageHealth.objects.filter(storage=bnl).exists()


def test_the_first_success_ends_the_time_of_failing_and_the_last_error_stays():
    disk = create_storage()
    health.note_answer(disk, error="timed out", seconds=None, now=NOW)
    health.note_answer(disk, error="timed out", seconds=None, now=after(minutes=1))
    assert health_of(disk).failing_since == NOW

    health.note_answer(disk, error="", seconds=0.2, now=after(minutes=2))

    seen = health_of(disk)
    assert (seen.failing_since, seen.ok_at) == (None, after(minutes=2))
    assert (seen.error, seen.error_at) == ("timed out", after(minutes=1))
    assert seen.latency_ms == pytest.approx(200)


def test_a_transfer_that_was_wanted_for_too_long_is_given_up_with_its_last_error(disks):
    transfer = due(known_file(), disks[2])
    Transfer.objects.update(error="timed out", reason="timed out", next_try_at=NOW)
    later = database_now() + 8 * (after(days=1) - NOW)

    assert services.give_up_old(now=database_now()) == 0
    assert services.give_up_old(now=later) == 1

    given_up = fresh(transfer)
    assert (given_up.state, given_up.permanent, given_up.reason) == ("failed", False, "timed out")
    assert given_up.error == "timed out (given up after 168 hours)"


# -- space -------------------------------------------------------------------------------------


def test_a_folder_without_a_declared_capacity_is_measured_by_its_disk(disks):
    space.measure_storage(now=NOW)

    measured = StorageElement.objects.get(pk=disks[0].pk)
    assert (measured.space_from, measured.measured_at) == ("disk", NOW)
    assert measured.used_bytes > 0 and measured.free_bytes > 0


def test_a_declared_capacity_counts_with_what_the_catalogue_has_there(disks):
    store(disks[0], known_file())
    StorageElement.objects.filter(pk=disks[0].pk).update(capacity_bytes=10_000)

    space.measure_storage(now=NOW)

    measured = StorageElement.objects.get(pk=disks[0].pk)
    assert (measured.space_from, measured.used_bytes) == ("catalogue", 3900)
    assert measured.free_bytes == 6100
