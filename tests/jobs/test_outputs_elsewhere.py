"""Outputs of a VO whose data another system has: wished for where they are to stay."""

from __future__ import annotations

import pytest

from datasets.models import Subscription
from jobs import fsck, register
from jobs.models import Job
from tests.builders import (
    ADLER32,
    GUID,
    after,
    create_dataset,
    create_job,
    create_site,
    create_storage,
    create_vo,
    local_storage,
)

pytestmark = pytest.mark.django_db
SYSTEM = "elsewhere.System"


@pytest.fixture(autouse=True)
def atlas_is_elsewhere(settings):
    settings.PANDASITE_DDM = {"atlas": SYSTEM}


def held(site, lfn, **columns) -> Job:
    job = create_job("holding", site=site, outputs=[lfn], verdict="finished", **columns)
    job.files.update(size=10, adler32=ADLER32, guid=GUID, events=5)
    return job


def wishes() -> set[tuple[str, str, str, str]]:
    rows = Subscription.objects.values_list("dataset__name", "storage__name", "state", "ddm")
    return {(name, storage, state, ddm) for name, storage, state, ddm in rows}


def test_what_stays_where_it_was_made_is_wished_for_there():
    site = create_site("AGLT2")
    held(site, "HIST.1", dataset=create_dataset("mc09.HIST"))

    register.run(after(minutes=1))

    assert wishes() == {("mc09.HIST", local_storage(site).name, "done", SYSTEM)}
    assert fsck.check() == []


def test_a_dataset_that_has_grown_has_news_for_the_system():
    site, dataset = create_site("AGLT2"), create_dataset("mc09.HIST")
    held(site, "HIST.1", dataset=dataset)
    register.run(after(minutes=1))
    Subscription.objects.update(asked_at=after(minutes=1), reference="rule")
    held(site, "HIST.2", dataset=dataset)

    register.run(after(minutes=2))

    assert Subscription.objects.get().asked_at is None


@pytest.mark.parametrize("named", [True, False], ids=["in a dataset", "in one of its own"])
def test_what_travels_is_wished_for_at_home_block_and_dataset(named):
    home = create_storage("HOME")
    dataset = create_dataset("mc09.HIST") if named else None
    job = held(create_site("AGLT2"), "HIST.1", dataset=dataset, destination_se=home)
    name = "mc09.HIST" if named else f"panda.output.{job.pk}"

    register.run(after(minutes=1))

    assert wishes() == {
        (name, "HOME", "open", SYSTEM),
        (f"{name}_sub01", "HOME", "open", SYSTEM),
    }


def test_other_vos_are_not_concerned():
    held(create_site("AGLT2"), "HIST.1", dataset=create_dataset("mc09.HIST"), vo=create_vo("cms"))

    register.run(after(minutes=1))

    assert wishes() == set()
