"""What is kept of each dataset: category, sums, where it is; and the counts of the catalogue."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from datasets import services, sums
from datasets.models import Dataset, DatasetCategory, DatasetCopy, DatasetTally
from datasets.states import DatasetState
from datasets.subscriptions import subscribe
from tests.builders import NOW, after, create_dataset, create_file, create_replica, create_storage

pytestmark = pytest.mark.django_db


def copies(dataset: Dataset) -> dict[str, tuple[int, int]]:
    rows = DatasetCopy.objects.filter(dataset=dataset).select_related("storage")
    return {row.storage.name: (row.files, row.bytes) for row in rows}


def test_a_new_dataset_gets_its_category_and_its_sums() -> None:
    bnl, lpc = create_storage("BNL_DISK"), create_storage("LPC_DISK")
    dataset = create_dataset("mc09.105001.pythia.merge.AOD.r1")
    create_file(dataset=dataset, size=10, events=5, at=[bnl, lpc])
    create_file(dataset=dataset, size=20, at=[bnl])

    sums.run(NOW)

    dataset.refresh_from_db()
    assert (dataset.project, dataset.category, dataset.data_type, dataset.scope) == (
        "mc09", "mc", "AOD", "mc09",
    )  # fmt: skip
    assert (dataset.n_files, dataset.n_bytes, dataset.n_events, dataset.n_lost) == (2, 30, 5, 0)
    assert dataset.summed_at == NOW
    assert copies(dataset) == {"BNL_DISK": (2, 30), "LPC_DISK": (1, 10)}


def test_a_new_replica_is_news_and_a_row_that_is_as_it_was_is_not_written() -> None:
    bnl, lpc = create_storage("BNL_DISK"), create_storage("LPC_DISK")
    dataset, other = create_dataset("mc09.a"), create_dataset("mc09.b")
    file = create_file(dataset=dataset, at=[bnl])
    create_file(dataset=other, at=[bnl])
    sums.run(NOW)

    create_replica(file, lpc, created_at=after(hours=2))
    create_file(dataset=other, at=[bnl])
    sums.run(after(hours=2))

    assert copies(dataset) == {"BNL_DISK": (1, 1000), "LPC_DISK": (1, 1000)}
    dataset.refresh_from_db()
    other.refresh_from_db()
    assert (dataset.summed_at, other.summed_at) == (NOW, after(hours=2))


def test_what_no_replica_tells_is_found_by_the_patrol() -> None:
    bnl = create_storage("BNL_DISK")
    dataset = create_dataset("mc09.a")
    file = create_file(dataset=dataset, at=[bnl])
    sums.run(NOW)

    services.mark_bad(file, bnl, "it is gone")
    sums.run(after(hours=1))

    dataset.refresh_from_db()
    assert (dataset.n_files, dataset.n_lost) == (1, 1)
    assert copies(dataset) == {}


def test_a_file_that_was_never_anywhere_is_not_lost() -> None:
    dataset = create_dataset("mc09.a")
    create_file(dataset=dataset)

    sums.run(NOW)

    dataset.refresh_from_db()
    assert (dataset.n_files, dataset.n_lost) == (1, 0)


def test_blocks_have_neither_a_category_nor_sums() -> None:
    block = create_dataset("panda.evgen.1_dis2", type="dispatch")
    create_file(dataset=block, at=[create_storage("BNL_DISK")])

    sums.run(NOW)

    block.refresh_from_db()
    assert (block.category, block.summed_at) == ("", None)
    assert not DatasetTally.objects.exists()


def test_datasets_change_with_the_patterns_and_a_scope_that_was_given_stays() -> None:
    dataset = create_dataset("mc09.a", scope="theirs")
    sums.run(NOW)

    DatasetCategory.objects.filter(name="tile").update(patterns="mc09*", position=1)
    sums.run(after(hours=1))

    dataset.refresh_from_db()
    assert (dataset.category, dataset.scope) == ("tile", "theirs")


def test_the_catalogue_is_counted_a_few_slices_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for nr in range(5):
        # keys from 1 on: the slices go up to the highest, whatever tests there were before
        create_file(dataset=create_dataset(f"mc0{nr % 2}.{nr}", pk=nr + 1))
    sums.run(NOW)
    monkeypatch.setattr(sums, "SLICE", 2)
    monkeypatch.setattr(sums, "SLICES", 1)
    DatasetTally.objects.all().delete()
    rounds = 0

    with monkeypatch.context() as patch:
        patch.setattr("datasets.sums.Round.over", True)  # no time for a second one
        while rounds == 0 or sums.Patrol.objects.get(name=sums.TALLY).news_until < after(hours=1):
            sums.tally(after(hours=1))
            rounds += 1

    assert rounds > 2
    assert DatasetTally.objects.aggregate(n=Sum("datasets"), files=Sum("files")) == {
        "n": 5, "files": 5,
    }  # fmt: skip
    assert set(DatasetTally.objects.values_list("project", flat=True)) == {"mc00", "mc01"}


def test_what_is_gone_is_counted_no_more() -> None:
    create_dataset("mc09.a")
    erased = create_dataset("mc09.b")
    sums.run(NOW)

    services.set_dataset_state(erased, DatasetState.ERASED, now=NOW)
    sums.run(after(hours=1))
    assert DatasetTally.objects.aggregate(n=Sum("datasets"))["n"] == 1

    Dataset.objects.all().delete()
    sums.run(after(hours=2))
    assert not DatasetTally.objects.exists()


def test_metadata_are_bounded_by_the_database() -> None:
    with pytest.raises(IntegrityError, match="dataset_metadata_bounded"), transaction.atomic():
        create_dataset("mc09.a", metadata={"note": "x" * 20_000})


def test_an_aborted_dataset_is_brought_nowhere_any_more() -> None:
    dataset, target = create_dataset("mc09.a"), create_storage("BNL_DISK")
    create_file(dataset=dataset)
    wish = subscribe(dataset, target, activity="production", now=NOW)

    assert services.abort_datasets([dataset.pk], reason="bad tag", now=NOW) == 1
    assert services.abort_datasets([dataset.pk], reason="again", now=after(hours=1)) == 0

    dataset.refresh_from_db()
    wish.refresh_from_db()
    assert (dataset.aborted_at, dataset.aborted_reason) == (NOW, "bad tag")
    assert (wish.state, wish.reason) == ("given_up", "aborted: bad tag")
