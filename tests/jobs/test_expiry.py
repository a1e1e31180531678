"""Datasets out of their lifetime: what is erased, and what is kept for others."""

from __future__ import annotations

import pytest

from datasets import life, services
from datasets.models import ContainerMember, Dataset, Replica, Subscription, Transfer
from datasets.subscriptions import Terms, subscribe
from jobs import expiry
from pandasite.base.errors import Conflict
from pandasite.base.models import AuditLine
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_storage,
    create_transfer,
)
from tests.datasets.disks import create_disk, known_file, root, store, where

pytestmark = pytest.mark.django_db


@pytest.fixture
def disk(tmp_path):
    return create_disk(tmp_path, "bnl")


def expired(name="old", **fields):
    return create_dataset(name, expires_at=after(hours=-1), **fields)


def stored_file(disk, *datasets):
    file = known_file()
    store(disk, file)
    for dataset in datasets:
        dataset.files.add(file)
    return file


def state_of(dataset):
    dataset.refresh_from_db()
    return dataset.state


def test_an_expired_dataset_goes_with_its_files(disk):
    dataset = expired()
    file = stored_file(disk, dataset)

    expiry.run(NOW)

    assert state_of(dataset) == "erased"
    assert not where(disk, file).exists()
    assert not Replica.objects.exists()
    assert dataset.expires_at is None


def test_one_that_has_time_left_or_no_lifetime_stays(disk):
    kept = [create_dataset("a"), create_dataset("b", expires_at=after(hours=1))]
    file = stored_file(disk, *kept)

    assert expiry.run(NOW) == 0

    assert where(disk, file).exists()
    assert {state_of(one) for one in kept} == {"open"}


def test_a_file_that_another_dataset_needs_stays(disk):
    dataset, other = expired(), create_dataset("other")
    shared, own = stored_file(disk, dataset, other), stored_file(disk, dataset)

    expiry.run(NOW)

    assert where(disk, shared).exists()
    assert not where(disk, own).exists()
    assert Replica.objects.get().file == shared
    assert state_of(dataset) == "erased"
    assert dataset.expires_at is None


def test_a_dataset_that_a_live_job_reads_waits_for_its_end(disk):
    dataset = expired()
    file = stored_file(disk, dataset)
    job = create_job("activated", inputs=[file], dataset=dataset)

    assert expiry.run(NOW) == 0
    assert state_of(dataset) == "open"

    type(job).objects.filter(pk=job.pk).update(state="cancelled", end_time=NOW)
    assert expiry.run(NOW) == 2
    assert not where(disk, file).exists()


def test_a_file_that_a_live_job_reads_under_another_name_waits(disk):
    dataset = expired()
    file = stored_file(disk, dataset)
    create_job("activated", inputs=[file])

    expiry.run(NOW)

    assert where(disk, file).exists()
    assert state_of(dataset) == "erased"
    assert dataset.expires_at is not None


def test_a_file_that_is_on_its_way_waits(disk):
    dataset = expired()
    file = stored_file(disk, dataset)
    create_transfer(file, create_storage("CERN"))

    expiry.run(NOW)

    assert where(disk, file).exists()


def test_a_storage_that_is_away_is_tried_again(disk):
    dataset = expired()
    file = stored_file(disk, dataset)
    folder = where(disk, file).parent
    away = folder.with_name("away")
    folder.rename(away)
    folder.write_text("in its place")

    expiry.run(NOW)

    assert Replica.objects.get().state == "erasing"
    folder.unlink()
    away.rename(folder)
    expiry.run(NOW)
    assert not Replica.objects.exists()
    assert not where(disk, file).exists()


def test_an_expired_container_leaves_its_datasets(disk):
    container, inside = expired("all/", type="container"), create_dataset("inside")
    ContainerMember.objects.create(container=container, dataset=inside)
    file = stored_file(disk, inside)

    expiry.run(NOW)

    assert (state_of(container), state_of(inside)) == ("erased", "open")
    assert where(disk, file).exists()


def test_a_subscription_of_an_expired_dataset_ends_with_the_reason(disk):
    dataset = expired()
    create_file(dataset=dataset)
    wish = subscribe(dataset, create_storage("CERN"), activity="x", now=NOW)

    expiry.run(NOW)

    wish.refresh_from_db()
    assert (wish.state, wish.reason) == ("given_up", "its lifetime is over")


def test_an_aborted_dataset_is_listed_and_moves_no_more(disk):
    dataset = create_dataset("bad")
    file = stored_file(disk, dataset)
    subscribe(dataset, create_storage("CERN"), activity="x", now=NOW)

    services.abort_datasets([dataset.pk], reason="wrong geometry", now=NOW)

    assert list(life.aborted()) == [dataset]
    assert Subscription.objects.get().reason == "aborted: wrong geometry"
    assert Transfer.objects.get().state == "failed"
    assert where(disk, file).exists()


def test_a_lifetime_is_set_and_noted_and_not_for_what_is_erased():
    dataset = create_dataset("d")

    life.set_lifetime(dataset, after(days=1), actor="alice", reason="quota", now=NOW)

    assert Dataset.objects.get().expires_at == after(days=1)
    assert AuditLine.objects.get().facts == {"expires_at": after(days=1).isoformat()}
    Dataset.objects.update(state="erased")
    with pytest.raises(Conflict):
        life.set_lifetime(dataset, None, actor="alice", reason="x", now=NOW)


def test_nothing_outside_of_the_expired_files_is_touched(disk):
    dataset = expired()
    stored_file(disk, dataset)
    other = stored_file(disk)
    (root(disk) / "note.txt").write_text("mine")

    expiry.run(NOW)

    assert where(disk, other).exists()
    assert (root(disk) / "note.txt").exists()


def test_what_a_system_elsewhere_knows_is_forgotten_and_not_removed(disk, settings):
    settings.PANDASITE_DDM = {"atlas": "elsewhere.System"}
    dataset = expired()
    file = stored_file(disk, dataset)
    subscribe(dataset, disk, activity="production", now=NOW, terms=Terms(vo="atlas"))

    expiry.run(NOW)

    assert not Replica.objects.exists()
    assert where(disk, file).exists()
