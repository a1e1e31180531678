"""Wishes that last: what did not come, came later or was lost is asked for again by itself."""

import datetime as dt

import pytest

from datasets import engine, keeping, services, subscriptions
from datasets.models import Dataset, Replica, Subscription, Transfer
from datasets.states import TransferState
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_replica,
    create_storage,
    create_transfer,
)
from tests.datasets.disks import CONTENT, known_file, store, where

pytestmark = pytest.mark.django_db


def wish(*files, to, **fields):
    dataset = create_dataset(**fields)
    services.add_files(dataset, files)
    return subscriptions.subscribe(dataset, to, activity="user", now=NOW)


def fail(*, at, error="timed out", **fields):
    """The transfers that are under way are given up."""
    Transfer.objects.active().update(
        state=TransferState.FAILED, attempts=3, ended_at=at, error=error, **fields
    )


def fresh(one):
    return Subscription.objects.get(pk=one.pk)


def test_what_could_not_be_brought_is_asked_for_again_after_a_pause_and_wanted_since_the_first():
    disk = create_storage()
    one = wish(create_file(at=[create_storage()]), to=disk)
    fail(at=after(minutes=5))

    asked = keeping.run(after(minutes=6)), keeping.run(after(minutes=7))

    assert asked == (1, 0)
    again = Transfer.objects.active().get()
    assert (again.created_at, again.error, again.activity) == (NOW, "timed out", "user")
    assert again.next_try_at == after(minutes=6) + dt.timedelta(seconds=120)
    assert fresh(one).state == "open"


def test_a_file_that_comes_into_the_dataset_later_follows_the_others():
    disk, elsewhere = create_storage(), create_storage()
    one = wish(create_file(at=[disk]), to=disk)
    assert one.state == "done"

    late = create_file()
    services.add_files(one.dataset, [late])
    create_replica(late, elsewhere, created_at=after(hours=1))
    keeping.run(after(hours=1))

    assert (fresh(one).state, fresh(one).done_at) == ("open", None)
    assert Transfer.objects.active().get().file == late


def test_a_copy_that_turns_out_to_be_bad_is_brought_anew(disks):
    bnl, cern, aglt2 = disks
    file = known_file()
    store(aglt2, file, CONTENT[:-1] + b"X")
    store(bnl, file)
    one = wish(file, to=aglt2)
    assert one.state == "done"

    subscriptions.subscribe(one.dataset, cern, activity="user", now=NOW)
    Replica.objects.filter(storage=bnl).update(state="bad")  # for a moment: aglt2 has to serve
    engine.work(0)
    Replica.objects.filter(storage=bnl).update(state="available")
    assert (fresh(one).state, Replica.objects.get(storage=aglt2).state) == ("open", "bad")

    keeping.run(after(hours=1))
    Transfer.objects.active().update(next_try_at=NOW)
    engine.work(0)

    assert where(aglt2, file).read_bytes() == CONTENT == where(cern, file).read_bytes()
    assert {s.state for s in Subscription.objects.all()} == {"done"}


def test_what_is_wanted_in_vain_for_too_long_is_given_up_with_the_last_error():
    disk, elsewhere = create_storage(), create_storage()
    one = wish(create_file(at=[elsewhere]), create_file(at=[elsewhere]), to=disk)
    fail(at=after(hours=167), error="no space left")
    create_transfer(Transfer.objects.earliest("pk").file, disk, created_at=NOW)

    keeping.run(after(hours=168))
    assert fresh(one).state == "open"  # one of them is still under way
    fail(at=after(hours=168), error="no space left")
    keeping.run(after(hours=169))

    assert fresh(one).state == "given_up"
    assert fresh(one).reason == "wanted for too long: no space left"
    assert not Transfer.objects.active().exists()


def test_what_is_nowhere_is_asked_for_when_there_is_a_copy_again():
    disk = create_storage()
    file = create_file()
    one = wish(file, to=disk)
    fail(at=after(minutes=1), error="no good replica", permanent=True)
    assert keeping.run(after(hours=1)) == 0

    create_replica(file, create_storage(), created_at=after(hours=2))

    assert keeping.run(after(hours=2)) == 1
    assert (fresh(one).state, Transfer.objects.active().count()) == ("open", 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"state": "given_up", "done_at": NOW}, id="cancelled"),
        pytest.param({"ddm": "rucio"}, id="elsewhere"),
    ],
)
def test_wishes_that_are_over_or_another_systems_are_left_alone(change):
    one = wish(create_file(at=[create_storage()]), to=create_storage())
    fail(at=after(minutes=5))
    Subscription.objects.update(**change)

    assert keeping.run(after(minutes=6)) == 0
    assert fresh(one).state == change.get("state", "open")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"type": Dataset.Type.DISPATCH}, id="a block"),
        pytest.param({"state": "erased"}, id="erased"),
        pytest.param({"aborted_at": NOW}, id="aborted"),
    ],
)
def test_blocks_and_datasets_that_are_no_more_are_left_alone(change):
    wish(create_file(at=[create_storage()]), to=create_storage())
    fail(at=after(minutes=5))
    Dataset.objects.update(**change)

    assert keeping.run(after(minutes=6)) == 0


def test_all_open_ones_have_their_turn_though_no_news_is_heard_of_them(monkeypatch):
    monkeypatch.setattr(keeping, "PART", 2)
    monkeypatch.setattr(keeping, "_news", lambda since: [])
    for _ in range(3):
        wish(create_file(at=[create_storage()]), to=create_storage())
    fail(at=after(minutes=5))

    assert [keeping.run(after(minutes=minute)) for minute in (6, 7, 8)] == [2, 1, 0]


def test_a_wish_whose_dataset_may_still_grow_can_be_cancelled_when_all_is_there():
    disk = create_storage()
    one = wish(create_file(at=[disk]), to=disk)

    subscriptions.cancel(one, actor="alice", reason="enough", now=after(hours=1))

    assert (fresh(one).state, fresh(one).reason) == ("given_up", "cancelled by alice: enough")
