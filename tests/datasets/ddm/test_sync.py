"""A data management system elsewhere: told of wishes, asked about them, and never in a hurry.

`Elsewhere` keeps the contract in memory, as a Rucio behind the same interface would over HTTP.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured

from datasets.ddm import choice, sync
from datasets.ddm.builtin import BuiltIn
from datasets.ddm.contract import Arrived, DdmError, DdmRefused, Name, NewFile, Seen, Wish
from datasets.models import Dataset, File, Replica, Subscription, Transfer
from datasets.subscriptions import Terms, cancel, set_priority, subscribe
from tests.builders import ADLER32, GUID, NOW, create_dataset, create_file, create_storage

pytestmark = pytest.mark.django_db


class Elsewhere:
    """What it was told, and what it says."""

    known: ClassVar[dict[str, list[NewFile]]] = {}
    wishes: ClassVar[dict[str, Wish]] = {}
    cancelled: ClassVar[list[tuple[str, str]]] = []
    priorities: ClassVar[list[tuple[str, int]]] = []
    says: ClassVar[dict[str, Seen]] = {}
    trouble: ClassVar[list[Exception]] = []

    def register(self, dataset: str, files: Sequence[NewFile], *, scope: str) -> None:
        if self.trouble:
            raise self.trouble[0]
        self.known[f"{scope}:{dataset}"] = list(files)

    def subscribe(self, wish: Wish) -> str:
        self.wishes[f"rule-{len(self.wishes)}"] = wish
        return f"rule-{len(self.wishes) - 1}"

    def cancel(self, reference: str, *, reason: str) -> None:
        self.cancelled.append((reference, reason))

    def set_priority(self, reference: str, priority: int) -> None:
        self.priorities.append((reference, priority))

    def states(self, references: Collection[str]) -> Mapping[str, Seen]:
        return {one: self.says[one] for one in references if one in self.says}

    def replicas(self, names: Collection[Name]) -> Mapping[Name, Sequence[str]]:
        return {}


@pytest.fixture
def there(settings, monkeypatch):
    """Data of the VO atlas are elsewhere."""
    for box in (Elsewhere.known, Elsewhere.wishes, Elsewhere.says):
        box.clear()
    Elsewhere.cancelled.clear()
    Elsewhere.trouble.clear()
    Elsewhere.priorities.clear()
    settings.PANDASITE_DDM = {"atlas": "elsewhere.Fake"}
    monkeypatch.setattr(choice, "system", lambda path: Elsewhere())
    return Elsewhere


def wish(n_files: int = 2, vo: str = "atlas") -> Subscription:
    dataset = create_dataset()
    for _ in range(n_files):
        create_file(dataset=dataset)
    return subscribe(
        dataset, create_storage(), activity="production", now=NOW, terms=Terms(vo=vo, priority=3)
    )


def arrived(file: File, **more: object) -> Arrived:
    facts = {"name": (file.scope, file.lfn), "size": file.size, "adler32": file.adler32}
    return Arrived(**(facts | more))


def test_what_a_vo_elsewhere_wishes_for_is_told_and_left_by_the_engine(there):
    made = wish()

    sync.run(NOW)

    made.refresh_from_db()
    assert made.reference == "rule-0"
    told = there.wishes["rule-0"]
    assert (told.dataset, told.storage, told.priority) == (made.dataset.name, made.storage.name, 3)
    assert len(there.known[f"mc09:{made.dataset.name}"]) == 2
    assert set(Transfer.objects.values_list("state", "carrier")) == {("queued", "ddm")}
    assert not Transfer.objects.due(NOW).exists()
    sync.run(NOW)
    assert len(there.wishes) == 1


def test_other_vos_are_the_engines(there):
    wish(vo="cms")

    assert sync.run(NOW) == 0

    assert there.wishes == {}
    assert Transfer.objects.due(NOW).count() == 2


def test_what_arrived_elsewhere_is_recorded_and_the_rest_is_waited_for(there):
    made = wish()
    first, second = File.objects.order_by("pk")
    there.says["rule-0"] = Seen(arrived=[arrived(first)])

    for _ in range(3):
        sync.run(NOW)

    assert Replica.objects.get().file == first
    made.refresh_from_db()
    assert made.state == "open"
    there.says["rule-0"] = Seen(arrived=[arrived(first), arrived(second)])
    sync.run(NOW)
    made.refresh_from_db()
    assert made.state == "done"
    assert set(Transfer.objects.values_list("state", flat=True)) == {"done"}


def test_a_file_with_other_content_is_not_believed(there):
    wish(1)
    there.says["rule-0"] = Seen(arrived=[arrived(File.objects.get(), adler32="00000001")])

    sync.run(NOW)

    assert not Replica.objects.exists()
    assert Transfer.objects.get().state == "queued"


def test_a_failure_ends_the_transfer_and_what_is_given_up_ends_the_wish(there):
    made = wish(1)
    file = File.objects.get()
    there.says["rule-0"] = Seen(failed={(file.scope, file.lfn): "quota"}, over="no room there")

    sync.run(NOW)

    made.refresh_from_db()
    assert (made.state, made.reason) == ("given_up", "no room there")
    transfer = Transfer.objects.get()
    assert transfer.state == "failed"
    assert "quota" in transfer.error


def test_a_wish_that_is_cancelled_here_is_cancelled_there_once(there):
    made = wish()
    sync.run(NOW)
    cancel(Subscription.objects.get(pk=made.pk), actor="alice", reason="wrong site", now=NOW)

    sync.run(NOW)
    sync.run(NOW)

    assert there.cancelled == [("rule-0", "cancelled by alice: wrong site")]


def test_a_new_priority_is_told_once(there):
    made = wish()
    sync.run(NOW)
    set_priority(made, 700, actor="alice", reason="conference", now=NOW)

    sync.run(NOW)
    sync.run(NOW)

    assert there.priorities == [("rule-0", 700)]


def test_a_refusal_gives_the_wish_up_with_its_words(there):
    made = wish()
    there.trouble.append(DdmRefused("no such storage"))

    sync.run(NOW)

    made.refresh_from_db()
    assert made.state == "given_up"
    assert made.reason.endswith("no such storage")


def test_a_system_that_is_away_is_asked_again(there):
    made = wish()
    there.trouble.append(DdmError("timed out"))

    sync.run(NOW)

    made.refresh_from_db()
    assert (made.state, made.reference) == ("open", "")
    there.trouble.clear()
    sync.run(NOW)
    made.refresh_from_db()
    assert made.reference == "rule-0"


def test_the_built_in_one_keeps_the_same_contract():
    ours, here = BuiltIn(), create_storage("HERE")
    files = [NewFile("mc09", "f", GUID, 10, ADLER32)]

    ours.register("d", files, scope="mc09")
    ours.register("d", files, scope="mc09")
    reference = ours.subscribe(Wish(dataset="d", storage="HERE", priority=4))
    ours.set_priority(reference, 9)

    assert Transfer.objects.get().priority == 9
    assert ours.states([reference])[reference] == Seen(arrived=[], failed={})
    Replica.objects.create(file=File.objects.get(), storage=here, created_at=NOW)
    assert ours.states([reference])[reference].arrived == [arrived(File.objects.get())]
    assert ours.replicas([("mc09", "f")]) == {("mc09", "f"): ["HERE"]}
    ours.cancel(reference, reason="enough")
    ours.cancel(reference, reason="enough")
    assert ours.states([reference])[reference].over == "cancelled by ddm: enough"
    with pytest.raises(DdmRefused):
        ours.register("d", [NewFile("mc09", "f", GUID, 11, ADLER32)], scope="mc09")
    with pytest.raises(DdmRefused):
        ours.subscribe(Wish(dataset="d", storage="NOWHERE"))
    assert Dataset.objects.count() == 1


@pytest.mark.parametrize("words", [["atlas"], ["atlas=nothing"], ["=builtin"]], ids=str)
def test_a_setting_that_names_nothing_is_refused(words):
    with pytest.raises(ImproperlyConfigured, match="PANDASITE_DDM"):
        choice.parse(words)


def test_the_setting_names_a_class_by_its_path_or_the_built_in_one():
    assert choice.parse(["atlas=a.b.C", "cms=builtin"]) == {"atlas": "a.b.C", "cms": ""}
