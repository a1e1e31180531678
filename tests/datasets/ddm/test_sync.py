"""A data management system elsewhere: told of wishes, asked about them, and never in a hurry."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from datasets.ddm import choice, sync
from datasets.ddm.contract import Arrived, DdmError, DdmLater, DdmRefused, Seen, Wish
from datasets.models import Dataset, File, Replica, Subscription, Transfer
from datasets.subscriptions import Terms, cancel, extend, set_priority, subscribe
from tests.builders import NOW, after, create_dataset, create_file, create_storage
from tests.datasets.ddm.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(settings, monkeypatch):
    """Data of the VO atlas are elsewhere."""
    for box in (Elsewhere.known, Elsewhere.at, Elsewhere.has, Elsewhere.wishes, Elsewhere.says):
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


def test_a_dataset_that_has_grown_is_told_again_with_where_its_files_are(there):
    made, source = wish(1), create_storage("HOME", ddm_name="CERN-PROD")
    sync.run(NOW)
    file = create_file(dataset=made.dataset, at=[source])
    extend(made.dataset, made.storage, [file.pk], activity="production", now=NOW)

    sync.run(NOW)

    assert len(there.known[f"mc09:{made.dataset.name}"]) == 2
    assert there.at == {("mc09", file.lfn): ["CERN-PROD"]}
    assert len(there.wishes) == 1


def test_what_is_made_where_it_is_to_stay_is_told_once(there):
    dataset, home = create_dataset(), create_storage("HOME", ddm_name="CERN-PROD")
    create_file(dataset=dataset, at=[home])
    made = subscribe(dataset, home, activity="production", now=NOW, terms=Terms(vo="atlas"))

    sync.run(NOW)
    there.trouble.append(AssertionError("told twice"))
    sync.run(NOW)

    made.refresh_from_db()
    assert (made.state, made.reference) == ("done", "rule-0")
    assert there.wishes["rule-0"].storage == "CERN-PROD"


def test_a_file_that_comes_while_the_dataset_is_told_is_not_forgotten(there, monkeypatch):
    made = wish(1)

    def also(self: Elsewhere, wish: Wish) -> str:
        file = create_file(dataset=made.dataset)
        extend(made.dataset, made.storage, [file.pk], activity="production", now=NOW)
        return "rule-x"

    with monkeypatch.context() as patch:
        patch.setattr(Elsewhere, "subscribe", also)
        sync.run(NOW)

    sync.run(NOW)
    assert len(there.known[f"mc09:{made.dataset.name}"]) == 2


def test_the_wish_for_an_erased_dataset_ends_there(there):
    made = wish()
    sync.run(NOW)
    Dataset.objects.filter(pk=made.dataset_id).update(state="erased")

    sync.run(NOW)
    sync.run(NOW)

    assert there.cancelled == [("rule-0", "it has served")]


def test_a_cancellation_that_is_refused_holds_up_nobody(there, monkeypatch):
    made = wish()
    sync.run(NOW)
    cancel(Subscription.objects.get(pk=made.pk), actor="alice", reason="wrong site", now=NOW)
    other = wish()

    def no(self: Elsewhere, reference: str, *, reason: str) -> None:
        raise DdmRefused("the rule is locked")

    monkeypatch.setattr(Elsewhere, "cancel", no)

    sync.run(NOW)

    other.refresh_from_db()
    assert other.reference == "rule-1"


def test_wishes_that_there_was_no_time_for_are_the_first_to_be_asked_about_next(there, monkeypatch):
    for _ in range(3):
        wish(1)
    sync.run(NOW)
    asked = []

    def one_at_a_time(self: Elsewhere, references: Collection[str]) -> dict[str, Seen]:
        asked.append(next(iter(references)))
        return {asked[-1]: Seen()}

    monkeypatch.setattr(Elsewhere, "states", one_at_a_time)

    for minute in range(1, 4):
        sync.run(after(minutes=minute))

    assert sorted(asked) == ["rule-0", "rule-1", "rule-2"]


def test_a_wish_over_which_the_system_fails_does_not_stop_the_others(there, monkeypatch):
    _bad, good = wish(1), wish(1)
    sync.run(NOW)
    (file,) = good.dataset.files.all()

    def fails(self: Elsewhere, references: Collection[str]) -> dict[str, Seen]:
        if next(iter(references)) == "rule-0":
            raise DdmError("more than 16777216 bytes")
        return {"rule-1": Seen(arrived=[arrived(file)])}

    monkeypatch.setattr(Elsewhere, "states", fails)

    for minute in (1, 2):
        sync.run(after(minutes=minute))

    good.refresh_from_db()
    assert good.state == "done"


def test_where_files_are_that_are_nowhere_here_is_learnt(there):
    made, source = wish(2), create_storage("HOME", ddm_name="CERN-PROD")
    first, _second = File.objects.order_by("pk")
    there.has[first.scope, first.lfn] = ["CERN-PROD", "NOT-OURS"]

    sync.run(NOW)

    replica = Replica.objects.get()
    assert (replica.file, replica.storage, replica.state) == (first, source, "available")
    made.refresh_from_db()
    assert made.state == "open"


def test_a_storage_element_that_is_full_holds_up_no_other(there, monkeypatch):
    full, other = wish(1), wish(1)
    subscribed = Elsewhere.subscribe

    def no_room(self: Elsewhere, wish: Wish) -> str:
        if wish.storage == full.storage.name:
            raise DdmLater("no room")
        return subscribed(self, wish)

    monkeypatch.setattr(Elsewhere, "subscribe", no_room)
    monkeypatch.setattr(sync, "BATCH", 1)

    sync.run(NOW)

    full.refresh_from_db()
    other.refresh_from_db()
    assert (full.state, full.reference, other.reference) == ("open", "", "rule-0")
