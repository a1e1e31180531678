"""What a worker takes: within limits, in fair turns, the most urgent first, of one link."""

import datetime as dt
import uuid

import pytest

from datasets import bulk, taking
from datasets.models import Activity, Link, StorageElement, Transfer
from datasets.quality import Offer, mean, ranked, used_now
from pandasite.base.clock import database_now
from tests.builders import NOW, after, create_file, create_storage, create_transfer

pytestmark = pytest.mark.django_db


def wish(destination, source, number=1, **fields):
    """Queued transfers of as many files, which lie at `source`."""
    return [create_transfer(create_file(at=[source]), destination, **fields) for _ in range(number)]


def take():
    bunch = taking.take(now=database_now())
    return bunch.transfers if bunch else []


def end(transfers):
    Transfer.objects.filter(pk__in=[t.pk for t in transfers]).update(state="done", ended_at=NOW)


def limited(settings, **limits):
    settings.PANDASITE = settings.PANDASITE | limits


# -- bunches -----------------------------------------------------------------------------------


def test_a_bunch_is_of_one_destination_one_activity_and_one_source():
    bnl, cern, aglt2, mwt2 = (create_storage() for _ in range(4))
    first = wish(aglt2, bnl, 3)
    others = [
        *wish(aglt2, cern, 2),
        *wish(mwt2, bnl, 2),
        *wish(aglt2, bnl, 2, activity="user"),
    ]

    taken = take()

    assert {t.pk for t in taken} == {t.pk for t in first}
    assert {t.source_id for t in taken} == {bnl.pk}
    assert len({Transfer.objects.get(pk=t.pk).bunch for t in taken}) == 1
    assert {t.state for t in Transfer.objects.filter(pk__in=[t.pk for t in others])} == {"queued"}


def test_a_bunch_ends_with_the_number_of_files(settings):
    limited(settings, TRANSFER_BUNCH=2)
    wish(create_storage(), create_storage(), 3)

    assert [len(take()), len(take()), len(take())] == [2, 1, 0]


def test_a_large_file_fills_a_bunch():
    bnl, aglt2 = create_storage(), create_storage()
    sizes = [10, taking.BUNCH_BYTES, 10]
    for nr, size in enumerate(sizes):
        file = create_file(at=[bnl], size=size)
        create_transfer(file, aglt2, next_try_at=after(minutes=nr))

    assert [len(take()), len(take())] == [2, 1]


def test_what_is_taken_is_nobody_elses():
    wish(create_storage(), create_storage(), 3)

    assert (len(take()), take()) == (3, [])


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("end_of_it", ["source", "destination"])
def test_a_storage_element_has_no_more_copies_at_once_than_its_record_says(settings, end_of_it):
    limited(settings, TRANSFER_BUNCH=1)
    busy, others = create_storage(max_transfers=2), [create_storage() for _ in range(3)]
    for other in others:
        wish(busy, other) if end_of_it == "destination" else wish(other, busy)

    taken = [take() for _ in range(3)]

    assert [len(bunch) for bunch in taken] == [1, 1, 0]
    end(taken[0])
    assert len(take()) == 1


def test_a_link_has_no_more_copies_at_once_than_its_record_says(settings):
    limited(settings, TRANSFER_BUNCH=1)
    bnl, cern, aglt2 = (create_storage() for _ in range(3))
    Link.objects.create(source=bnl, destination=aglt2, max_transfers=1)
    [first, _waits] = wish(aglt2, bnl, 2)
    [behind] = wish(aglt2, cern, next_try_at=after(hours=1))

    taken = [take() for _ in range(3)]

    assert [[t.pk for t in bunch] for bunch in taken] == [[first.pk], [behind.pk], []]


def test_where_records_say_nothing_the_settings_count(settings):
    limited(settings, TRANSFER_BUNCH=1, LINK_TRANSFERS=2)
    wish(create_storage(), create_storage(), 3)

    assert [len(take()) for _ in range(3)] == [1, 1, 0]


def test_a_storage_element_with_no_room_at_all_is_closed():
    wish(create_storage(max_transfers=0), create_storage())

    assert take() == []


def test_a_bunch_of_which_some_is_there_already_is_one_copy(settings):
    limited(settings, TRANSFER_BUNCH=2)
    bnl, aglt2 = create_storage(), create_storage(max_transfers=2)
    create_transfer(create_file(at=[bnl, aglt2]), aglt2)
    wish(aglt2, bnl, 3)

    assert [len(take()), len(take())] == [2, 2]


def test_a_full_destination_keeps_no_other_waiting():
    closed, bnl = create_storage(max_transfers=0), create_storage()
    wish(closed, bnl, 3, priority=100)
    [other] = wish(create_storage(), bnl)

    assert [t.pk for t in take()] == [other.pk]


# -- turns -------------------------------------------------------------------------------------


def turns(settings, number):
    """The activities of so many bunches of one file each."""
    limited(settings, TRANSFER_BUNCH=1, STORAGE_TRANSFERS=100, LINK_TRANSFERS=100)
    return [bunch[0].activity for bunch in (take() for _ in range(number)) if bunch]


def test_activities_take_turns_however_many_files_one_of_them_has(settings):
    aglt2, bnl = create_storage(), create_storage()
    wish(aglt2, bnl, 8, activity="production", priority=1000)
    wish(aglt2, bnl, 3, activity="user", next_try_at=after(hours=1))

    assert sorted(turns(settings, 6)) == ["production"] * 3 + ["user"] * 3


def test_an_activity_gets_its_share(settings):
    Activity.objects.create(name="production", share=3)
    aglt2, bnl = create_storage(), create_storage()
    wish(aglt2, bnl, 9, activity="production")
    wish(aglt2, bnl, 9, activity="user")

    assert turns(settings, 8).count("production") == 6


def test_higher_priorities_go_first_then_who_has_waited_longest(settings):
    limited(settings, TRANSFER_BUNCH=1)
    aglt2, bnl = create_storage(), create_storage()
    [late] = wish(aglt2, bnl, next_try_at=after(minutes=5))
    [early] = wish(aglt2, bnl)
    [urgent] = wish(aglt2, bnl, priority=5, next_try_at=after(minutes=9))

    assert [take()[0].pk for _ in range(3)] == [urgent.pk, early.pk, late.pk]


def test_what_others_carry_makes_nothing_more_urgent_and_is_not_taken(settings):
    limited(settings, TRANSFER_BUNCH=1)
    bnl, aglt2, mwt2 = (create_storage() for _ in range(3))
    wish(aglt2, bnl, priority=9, carrier="mover")
    [late] = wish(aglt2, bnl)
    [first] = wish(mwt2, bnl, priority=5)

    assert [[t.pk for t in take()] for _ in range(3)] == [[first.pk], [late.pk], []]


def test_what_became_anothers_to_carry_meanwhile_is_not_held():
    [transfer] = wish(create_storage(), create_storage())
    Transfer.objects.update(carrier="mover")

    assert bulk.hold([transfer], bunch=uuid.uuid4(), now=database_now()) == []


def test_what_rests_keeps_nothing_waiting_that_is_due():
    aglt2, bnl = create_storage(), create_storage()
    wish(aglt2, bnl, priority=9, next_try_at=database_now() + dt.timedelta(hours=1))
    [due] = wish(aglt2, bnl)

    assert [t.pk for t in take()] == [due.pk]


def test_what_an_activity_got_is_forgotten_by_halves():
    assert used_now(8.0, NOW, NOW) == 8.0
    assert used_now(8.0, NOW, after(minutes=10)) == 2.0
    assert used_now(8.0, None, NOW) == 0.0
    assert used_now(8.0, NOW, after(days=10_000)) < 1e-300


# -- sources -----------------------------------------------------------------------------------

OFFERS = [
    ("faster", [Offer(storage_id=1, rate=1e6), Offer(storage_id=2, rate=2e6)], 2),
    ("surer", [Offer(storage_id=1, rate=2e6, success=0.5), Offer(storage_id=2, rate=1e6)], 2),
    ("disk", [Offer(storage_id=1, rate=1e9, tape=True), Offer(storage_id=2, rate=1.0)], 2),
    ("unknown", [Offer(storage_id=1, rate=1e6), Offer(storage_id=2)], 2),
    ("alike", [Offer(storage_id=2), Offer(storage_id=1)], 1),
    ("room", [Offer(storage_id=1, rate=9e9, room=0), Offer(storage_id=2, rate=1.0)], 2),
]


@pytest.mark.parametrize(("offers", "best"), [o[1:] for o in OFFERS], ids=[o[0] for o in OFFERS])
def test_the_best_source_is(offers, best):
    assert ranked(offers)[0].storage_id == best


def test_no_room_is_no_source():
    assert ranked([Offer(storage_id=1, room=0)]) == []


def test_a_mean_forgets():
    assert [mean(None, 4.0), mean(4.0, 0.0), mean(4.0, 8.0)] == [4.0, 3.0, 5.0]


def test_the_replica_is_taken_whose_link_has_done_better():
    slow, quick, aglt2 = (create_storage() for _ in range(3))
    Link.objects.create(source=slow, destination=aglt2, success=1, bytes_per_second=1e5)
    Link.objects.create(source=quick, destination=aglt2, success=1, bytes_per_second=1e8)
    create_transfer(create_file(at=[slow, quick]), aglt2)

    [taken] = take()

    assert taken.source_id == quick.pk


def test_tape_is_the_last_resort():
    tape, disk, aglt2 = create_storage(kind="tape"), create_storage(), create_storage()
    Link.objects.create(source=disk, destination=aglt2, success=0.5, bytes_per_second=1)
    create_transfer(create_file(at=[tape, disk]), aglt2)

    assert take()[0].source_id == disk.pk
    assert StorageElement.objects.get(pk=tape.pk).address.tape
