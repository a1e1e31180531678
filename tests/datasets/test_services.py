"""The verbs of datasets, files and transfers."""

import pytest
from django.db import IntegrityError, transaction

from datasets import services, space, subscriptions
from datasets.models import Dataset, DatasetFile, File, Replica, StorageElement, Transfer
from datasets.registry import NewFile
from datasets.states import DATASET_MOVES, TRANSFER_MOVES, DatasetState, TransferState
from pandasite.base.errors import Conflict, IllegalMove
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    after,
    create_dataset,
    create_file,
    create_replica,
    create_storage,
    create_transfer,
)

pytestmark = pytest.mark.django_db


def new(**fields):
    facts = {"scope": "mc09", "lfn": "HIST.1", "guid": GUID, "size": 10, "adler32": ADLER32}
    return NewFile(**facts | fields)


# -- states ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", DatasetState)
def test_a_dataset_moves_as_its_table_says_and_not_otherwise(state):
    for to in DatasetState:
        dataset = create_dataset(f"d.{to}", state=state)
        if to in DATASET_MOVES[state]:
            services.set_dataset_state(dataset, to, now=after(hours=1))
            moved = Dataset.objects.get(pk=dataset.pk)
            assert (moved.state, moved.state_changed_at) == (to, after(hours=1))
        else:
            with pytest.raises(IllegalMove):
                services.set_dataset_state(dataset, to, now=NOW)


@pytest.mark.parametrize("state", DatasetState)
def test_the_database_refuses_other_moves_of_a_dataset(state):
    dataset = create_dataset(state=state)

    for to in set(DatasetState) - DATASET_MOVES[state] - {state}:
        with pytest.raises(IntegrityError, match="may not become"), transaction.atomic():
            Dataset.objects.filter(pk=dataset.pk).update(state=to)


@pytest.mark.parametrize("state", TransferState)
def test_the_database_refuses_other_moves_of_a_transfer(state):
    ended = NOW if not TRANSFER_MOVES[state] else None
    transfer = create_transfer(create_file(), create_storage(), state=state, ended_at=ended)

    for to in set(TransferState) - TRANSFER_MOVES[state] - {state}:
        with pytest.raises(IntegrityError, match="may not become"), transaction.atomic():
            Transfer.objects.filter(pk=transfer.pk).update(state=to)


def test_one_file_travels_to_one_place_once_at_a_time():
    file, disk = create_file(), create_storage()
    create_transfer(file, disk)

    with pytest.raises(IntegrityError, match="one_active_transfer"), transaction.atomic():
        create_transfer(file, disk)


# -- files -------------------------------------------------------------------------------------


def test_registering_a_file_twice_is_registering_it_once():
    disk, dataset = create_storage(), create_dataset()

    first = services.register_file(new(), storage=disk, dataset=dataset, now=NOW)
    second = services.register_file(new(), storage=disk, dataset=dataset, now=after(hours=1))

    assert first == second
    assert (File.objects.count(), Replica.objects.count(), DatasetFile.objects.count()) == (1, 1, 1)
    assert second.created_at == NOW


@pytest.mark.parametrize(
    "other", [{"size": 11}, {"adler32": "ffffffff"}, {"guid": GUID.replace("7", "8")}]
)
def test_a_name_belongs_to_one_content(other):
    disk = create_storage()
    services.register_file(new(), storage=disk, dataset=None, now=NOW)

    with pytest.raises(Conflict) as refusal:
        services.register_file(new(**other), storage=disk, dataset=None, now=NOW)

    assert refusal.value.code == "file_exists"
    assert "10 bytes" in refusal.value.message


def test_the_same_name_in_another_scope_is_another_file():
    disk = create_storage()
    for scope in ("mc08", "mc09"):
        services.register_file(new(scope=scope), storage=disk, dataset=None, now=NOW)

    assert File.objects.count() == 2


def test_datasets_are_made_once_and_keep_their_type():
    create_dataset("mc09.EVNT", type="input")

    found = services.ensure_datasets(
        ["mc09.EVNT", "mc09.HIST", "mc09.HIST"], type=Dataset.Type.DESTINATION, now=NOW
    )

    assert {d.name: d.type for d in found.values()} == {
        "mc09.EVNT": "input", "mc09.HIST": "destination",
    }  # fmt: skip


# -- subscriptions -----------------------------------------------------------------------------


def dataset_of(*files):
    dataset = create_dataset()
    services.add_files(dataset, files)
    return dataset


def test_a_subscription_asks_for_what_is_missing_and_for_nothing_else():
    disk, elsewhere = create_storage(), create_storage()
    here, far, broken = (create_file(at=[elsewhere]) for _ in range(3))
    create_replica(here, disk)
    create_replica(broken, disk, state="bad")

    subscription = subscriptions.subscribe(
        dataset_of(here, far, broken), disk, activity="production", now=NOW
    )

    assert subscription.state == "open"
    assert {t.file for t in Transfer.objects.filter(destination=disk)} == {far, broken}


def test_a_subscription_whose_files_are_all_there_is_done_at_once():
    disk = create_storage()

    subscription = subscriptions.subscribe(
        dataset_of(create_file(at=[disk])), disk, activity="production", now=NOW
    )

    assert (subscription.state, subscription.done_at) == ("done", NOW)
    assert not Transfer.objects.exists()


def test_a_subscription_is_open_again_when_its_dataset_grows():
    disk = create_storage()
    dataset = dataset_of(create_file(at=[disk]))
    subscriptions.subscribe(dataset, disk, activity="production", now=NOW)

    services.add_files(dataset, [create_file()])
    subscription = subscriptions.subscribe(dataset, disk, activity="production", now=after(hours=1))

    assert (subscription.state, subscription.done_at) == ("open", None)
    assert Transfer.objects.count() == 1


def test_a_subscription_that_was_given_up_can_be_asked_for_again():
    disk, dataset = create_storage(), dataset_of(create_file())
    dataset.state = DatasetState.FROZEN
    dataset.save()
    given_up = subscriptions.subscribe(dataset, disk, activity="production", now=NOW)
    services.give_up_dataset(dataset, reason="nobody waits", now=NOW)
    given_up.refresh_from_db()
    assert (given_up.state, given_up.reason) == ("given_up", "nobody waits")

    again = subscriptions.subscribe(dataset, disk, activity="production", now=NOW)

    assert (again.state, again.done_at, again.reason) == ("open", None, "")


def test_asking_twice_starts_one_transfer():
    disk, dataset = create_storage(), dataset_of(create_file())

    for _ in range(2):
        subscriptions.subscribe(dataset, disk, activity="production", now=NOW)

    assert Transfer.objects.count() == 1


def test_a_subscription_is_done_when_the_last_file_is_there():
    disk = create_storage()
    first, second = create_file(), create_file()
    subscription = subscriptions.subscribe(
        dataset_of(first, second), disk, activity="production", now=NOW
    )

    create_replica(first, disk)
    subscriptions.close_subscriptions([first.pk], disk.pk, now=after(hours=1))
    subscription.refresh_from_db()
    assert subscription.state == "open"

    create_replica(second, disk)
    subscriptions.close_subscriptions([second.pk], disk.pk, now=after(hours=2))
    subscription.refresh_from_db()
    assert (subscription.state, subscription.done_at) == ("done", after(hours=2))


def test_a_subscription_of_another_place_is_left_alone():
    here, there, file = create_storage(), create_storage(), create_file()
    dataset = dataset_of(file)
    other = subscriptions.subscribe(dataset, there, activity="production", now=NOW)
    create_replica(file, here)

    subscriptions.close_subscriptions([file.pk], here.pk, now=NOW)

    other.refresh_from_db()
    assert other.state == "open"


# -- space -------------------------------------------------------------------------------------


def test_free_space_is_capacity_less_what_is_registered():
    disk, empty = create_storage(capacity_bytes=5000), create_storage(capacity_bytes=700)
    create_file(size=1000, at=[disk])
    create_file(size=500, at=[disk])
    create_replica(create_file(size=9999), disk, state="bad")

    assert space.measure_storage(now=after(hours=1)) == 2

    measured = StorageElement.objects.get(pk=disk.pk)
    assert (measured.free_bytes, measured.measured_at) == (3500, after(hours=1))
    assert StorageElement.objects.get(pk=empty.pk).free_bytes == 700


def test_space_that_was_overdrawn_is_none_not_less():
    disk = create_storage(capacity_bytes=10)
    create_file(size=1000, at=[disk])

    space.measure_storage(now=NOW)

    assert StorageElement.objects.get(pk=disk.pk).free_bytes == 0
