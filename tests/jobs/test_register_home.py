"""Registered outputs whose home is elsewhere travel there, in blocks."""

import pytest

from datasets.models import Subscription, Transfer
from jobs import register
from tests.builders import NOW, create_dataset, create_site, create_storage, local_storage
from tests.jobs.test_register import fresh, held

pytestmark = pytest.mark.django_db


def test_outputs_whose_home_is_elsewhere_travel_in_a_sub_block():
    site, home, dataset = create_site(), create_storage("BNL_DISK"), create_dataset("mc09.HIST")
    job = held(site, "HIST.1", "HIST.2", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert fresh(job).state == "transferring"
    block = dataset.subs.get()
    assert (block.name, block.type, block.state) == ("mc09.HIST_sub01", "sub", "open")
    assert (block.source, block.destination) == (local_storage(site), home)
    assert {f.lfn for f in block.files.all()} == {"HIST.1", "HIST.2"}
    assert {(f.block, f.status) for f in job.files.all()} == {(block, "transferring")}
    assert {t.file.lfn for t in Transfer.objects.filter(destination=home)} == {"HIST.1", "HIST.2"}


def test_jobs_of_one_dataset_share_the_block_of_their_way():
    site, home, dataset = create_site(), create_storage(), create_dataset()
    for lfn in ("HIST.1", "HIST.2"):
        held(site, lfn, destination_se=home, dataset=dataset)

    register.run(NOW)

    assert dataset.subs.get().files.count() == 2


def test_another_source_or_home_gets_a_block_of_its_own():
    sites, homes, dataset = (
        [create_site() for _ in range(2)],
        [create_storage() for _ in range(2)],
        create_dataset("mc09.HIST"),
    )
    for i, (site, home) in enumerate([(s, h) for s in sites for h in homes]):
        held(site, f"HIST.{i}", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert sorted(sub.name for sub in dataset.subs.all()) == [
        f"mc09.HIST_sub0{n}" for n in (1, 2, 3, 4)
    ]


def test_a_block_that_is_closing_takes_no_new_files():
    site, home, dataset = create_site(), create_storage(), create_dataset("mc09.HIST")
    closing = create_dataset(
        "mc09.HIST_sub01", type="sub", state="tobeclosed", parent=dataset,
        source=local_storage(site), destination=home,
    )  # fmt: skip
    held(site, "HIST.1", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert not closing.files.exists()
    assert dataset.subs.get(state="open").name == "mc09.HIST_sub02"


def test_a_name_that_looks_like_a_block_is_stepped_over():
    create_dataset("mc09.HIST_sub01")
    job = held(
        create_site(),
        "HIST.1",
        destination_se=create_storage(),
        dataset=create_dataset("mc09.HIST"),
    )

    register.run(NOW)

    assert job.files.get().block.name == "mc09.HIST_sub02"


def test_an_output_without_a_dataset_travels_in_a_block_of_its_job():
    job = held(create_site(), "HIST.1", destination_se=create_storage())

    register.run(NOW)

    assert job.files.get().block.name == f"panda.output.{job.pk}_sub01"


def test_analysis_output_stays_where_it_was_made():
    job = held(create_site(), "HIST.1", destination_se=create_storage(), prod_source_label="user")

    register.run(NOW)

    assert fresh(job).state == "finished"


def test_output_that_is_made_at_home_does_not_travel():
    site = create_site()
    job = held(site, "HIST.1", destination_se=local_storage(site))

    register.run(NOW)

    assert fresh(job).state == "finished"
    assert not Subscription.objects.exists()
