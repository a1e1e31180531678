"""Files registered many at once: each once, and a name belongs to one content."""

from threading import Barrier, Thread

import pytest
from django.db import OperationalError, connections, transaction

from datasets import registry
from datasets.models import DatasetFile, File, Replica
from datasets.registry import NewFile
from pandasite.base.errors import Conflict
from tests.builders import ADLER32, GUID, NOW, after, create_dataset, create_file, create_storage

pytestmark = pytest.mark.django_db


def new(lfn, *, size=10, scope="mc09"):
    return NewFile(scope, lfn, GUID, size, ADLER32)


def test_files_are_entered_once_and_found_again():
    first = registry.enter([new("A"), new("B")], now=NOW)

    again = registry.enter([new("B"), new("C"), new("C")], now=after(hours=1))

    assert again["mc09", "B"] == first["mc09", "B"]
    assert {(f.lfn, f.created_at) for f in File.objects.all()} == {
        ("A", NOW), ("B", NOW), ("C", after(hours=1)),
    }  # fmt: skip


def test_nothing_is_entered_of_nothing():
    assert registry.enter([], now=NOW) == {}
    assert registry.taken([]) == {}
    registry.add_members([])
    registry.add_replicas([], now=NOW)


def test_names_that_belong_to_other_content_are_said_with_it():
    create_file("A", size=999)
    create_file("B", size=10)

    refusals = registry.taken([new("A"), new("B"), new("A", scope="mc10")])

    assert list(refusals) == [("mc09", "A")]
    assert "999 bytes" in refusals["mc09", "A"]


def test_two_contents_under_one_name_are_refused_together():
    with pytest.raises(Conflict) as refusal:
        registry.enter([new("A"), new("A", size=11)], now=NOW)

    assert refusal.value.code == "file_exists"


def test_members_and_replicas_that_are_known_stay_as_they_are():
    file, dataset, disk = create_file(), create_dataset(), create_storage()
    for _ in range(2):
        registry.add_members([(dataset.pk, file.pk)] * 2)
        registry.add_replicas([(file.pk, disk.pk)] * 2, now=NOW)
    Replica.objects.update(state="bad")

    registry.add_replicas([(file.pk, disk.pk)], now=NOW)

    assert (DatasetFile.objects.count(), Replica.objects.get().state) == (1, "bad")


@pytest.mark.django_db(transaction=True)
def test_rounds_that_enter_the_same_files_in_any_order_do_not_block_each_other():
    names, meet, problems = [f"F{n:03d}" for n in range(200)], Barrier(2), []

    def enter(order):
        try:
            meet.wait(60)
            with transaction.atomic():
                registry.enter([new(name) for name in order], now=NOW)
        except OperationalError as error:
            problems.append(str(error))
        finally:
            connections.close_all()

    rounds = [Thread(target=enter, args=[order]) for order in (names, names[::-1])]
    for one in rounds:
        one.start()
    for one in rounds:
        one.join(60)

    assert problems == []
    assert File.objects.count() == 200
