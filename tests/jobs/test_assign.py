"""A brokerage round: facts, choice, and the choice applied in bulk."""

import pytest

from datasets.models import Dataset, Subscription, Transfer
from jobs import assign, counts, fsck, services
from jobs.models import BrokerageDecision, Job, JobEvent
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    install,
    local_storage,
    manned_site,
)

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


# -- where to ----------------------------------------------------------------------------------


def test_a_job_without_input_is_activated_at_once():
    site, job = manned_site("AGLT2"), create_job("defined")

    assert assign.run(NOW) == 1

    placed = fresh(job)
    assert (placed.state, placed.computing_site, placed.cloud) == ("activated", site, site.cloud)
    assert not Dataset.objects.exists()
    assert fsck.check() == []


def test_a_job_whose_input_is_at_the_site_needs_no_dispatch_block():
    site = manned_site()
    job = create_job("defined", inputs=[create_file(at=[local_storage(site)])])

    assign.run(NOW)

    assert fresh(job).state == "activated"
    assert job.files.get().status == "ready"
    assert not Dataset.objects.exists()
    assert not Transfer.objects.exists()


def test_missing_input_travels_in_one_frozen_block_per_bunch():
    site, elsewhere = manned_site(), create_storage()
    shared = create_file(at=[elsewhere])
    dataset = create_dataset("mc09.105001.evgen.EVNT.tid7")
    jobs = [
        create_job(
            "defined", inputs=[shared, create_file(at=[elsewhere])], prod_d_block=dataset.name
        )
        for _ in range(3)
    ]

    assert assign.run(NOW) == 3

    block = Dataset.objects.get(type="dispatch")
    assert block.name.startswith("panda.EVNT.0.")
    assert block.name.endswith(f"_dis{jobs[0].pk}")
    assert (block.state, block.destination) == ("frozen", local_storage(site))
    assert block.files.count() == Transfer.objects.count() == 4
    assert Subscription.objects.get().dataset == block
    assert {fresh(job).state for job in jobs} == {"assigned"}
    assert {fresh(job).dispatch_d_block for job in jobs} == {block.name}


def test_only_what_is_missing_travels():
    site, elsewhere = manned_site(), create_storage()
    here, far = create_file(at=[elsewhere, local_storage(site)]), create_file(at=[elsewhere])
    complete, lacking = create_job("defined", inputs=[here]), create_job("defined", inputs=[far])

    assign.run(NOW)

    assert Dataset.objects.get(type="dispatch").files.get() == far
    assert (fresh(complete).state, fresh(lacking).state) == ("activated", "assigned")
    assert fresh(complete).dispatch_d_block == ""


def test_input_that_is_at_the_site_is_ready_while_the_rest_is_on_its_way():
    site, elsewhere = manned_site(), create_storage()
    here, far = create_file(at=[elsewhere, local_storage(site)]), create_file(at=[elsewhere])
    job = create_job("defined", inputs=[here, far])

    assign.run(NOW)

    assert fresh(job).state == "assigned"
    assert {f.file: f.status for f in job.files.all()} == {here: "ready", far: "pending"}


def test_the_site_that_holds_the_input_is_preferred():
    manned_site("A"), manned_site("B")
    holder = manned_site("C")
    job = create_job("defined", inputs=[create_file(at=[local_storage(holder)])])

    assign.run(NOW)

    assert fresh(job).computing_site == holder


def test_a_site_that_the_submitter_named_is_kept_even_without_pilots():
    manned_site()
    named = create_site("NAMED", status="brokeroff")
    job = create_job("defined", site=named, site_fixed=True)

    assign.run(NOW)

    assert fresh(job).computing_site == named


def test_a_cloud_that_the_submitter_named_is_kept():
    manned_site("A", cloud=create_cloud("US"))
    french = manned_site("Z", cloud=create_cloud("FR"))
    job = create_job("defined", cloud=create_cloud("FR"), cloud_fixed=True)

    assign.run(NOW)

    assert fresh(job).computing_site == french


def test_one_round_spreads_the_jobs_over_the_sites():
    sites = [manned_site(name) for name in ("A", "B")]
    for n in range(40):
        create_job("defined", prod_d_block=f"block{n // 20}")

    assign.run(NOW)

    queued = {site: Job.objects.filter(computing_site=site).count() for site in sites}
    assert set(queued.values()) == {20}


def test_the_queue_of_earlier_rounds_counts():
    busy, idle = manned_site("A"), manned_site("B")
    for _ in range(5):
        create_job("activated", site=busy)
    counts.fold()
    job = create_job("defined")

    assign.run(NOW)

    assert fresh(job).computing_site == idle


# -- nowhere to --------------------------------------------------------------------------------


def test_a_job_that_fits_nowhere_stays_defined_with_the_reasons():
    manned_site("AGLT2", memory_mb=1000)
    job = create_job("defined", min_ram_count=2000)

    assert assign.run(NOW) == 0

    waiting = fresh(job)
    assert (waiting.state, waiting.computing_site) == ("defined", None)
    (verdict,) = waiting.decision.detail["verdicts"]
    assert verdict["reason"] == "needs 2000 MB per slot, site offers 1000 MB"
    assert job.events.count() == 1


def test_the_same_refusal_is_not_written_again_each_round():
    manned_site(memory_mb=1000)
    create_job("defined", min_ram_count=2000)

    for minutes in range(3):
        assign.run(after(minutes=minutes))

    assert BrokerageDecision.objects.count() == 1


def test_a_job_that_fitted_nowhere_goes_when_a_site_comes_online():
    site = manned_site(status="offline")
    job = create_job("defined")
    assign.run(NOW)

    type(site).objects.update(status="online")
    assign.run(after(minutes=1))

    assert fresh(job).computing_site == site


def test_a_site_that_was_set_offline_gets_nothing_from_the_next_round_on():
    first = manned_site("A")
    assign.run(NOW)
    type(first).objects.update(status="offline")
    job = create_job("defined")

    assign.run(after(minutes=1))

    assert fresh(job).state == "defined"


def test_a_release_that_is_installed_nowhere_fails_the_job():
    install(manned_site(), "Atlas-14.2.0", "x86_64-slc5")
    job = create_job("defined", atlas_release="Atlas-14.5.0", cmt_config="x86_64-slc5")

    assert assign.run(NOW) == 1

    failed = fresh(job)
    assert failed.state == "failed"
    assert failed.errors()[0][:2] == ("brokerage", 100)
    assert failed.brokerage_error_diag.startswith("Atlas-14.5.0: ")
    assert failed.decision.detail["release_nowhere"] is True
    assert not Job.objects.filter(retry_of=job.pk).exists()


def test_a_release_at_a_site_that_is_down_is_worth_waiting_for():
    site = manned_site(status="offline")
    install(site, "Atlas-14.5.0", "x86_64-slc5")
    install(manned_site(), "Atlas-14.2.0", "x86_64-slc5")
    job = create_job("defined", atlas_release="Atlas-14.5.0")

    assign.run(NOW)

    assert fresh(job).state == "defined"


# -- the decision ------------------------------------------------------------------------------


def test_the_decision_names_the_choice_and_every_other_site():
    manned_site("AGLT2")
    manned_site("BIG", memory_mb=100)
    job = create_job("defined", min_ram_count=2000)

    assign.run(NOW)

    decision = fresh(job).decision
    assert (decision.site, decision.n_jobs, decision.at) == ("AGLT2", 1, NOW)
    assert [v["site"] for v in decision.detail["verdicts"]] == ["AGLT2", "BIG"]
    assert job.events.last().reason["decision"] == decision.pk


def test_explaining_writes_nothing():
    site = manned_site()
    job = create_job("defined", inputs=[create_file(at=[create_storage()])])
    before = Job.objects.values().get()

    choice = assign.explain_job(job, now=NOW)

    assert choice.site == site.name
    assert Job.objects.values().get() == before
    assert not BrokerageDecision.objects.exists()
    assert not Dataset.objects.exists()
    assert JobEvent.objects.count() == 1


def test_the_explanation_of_a_job_is_what_the_round_then_does():
    for name in "ABC":
        manned_site(name, memory_mb=1000 if name == "B" else 0)
    job = create_job("defined", min_ram_count=2000)
    explained = assign.explain_job(job, now=NOW)

    assign.run(NOW)

    assert fresh(job).computing_site.name == explained.site
    assert fresh(job).decision.detail == explained.as_json()


# -- twice and together ------------------------------------------------------------------------


def test_a_second_round_finds_nothing_to_do():
    manned_site()
    create_job("defined")

    assert (assign.run(NOW), assign.run(NOW)) == (1, 0)


def test_a_job_killed_while_the_round_decides_is_not_placed(monkeypatch):
    manned_site()
    job, other = create_job("defined"), create_job("defined")
    decide = assign.choose_from

    def killed_meanwhile(*asked, **facts):
        services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)
        return decide(*asked, **facts)

    monkeypatch.setattr(assign, "choose_from", killed_meanwhile)
    assign.run(NOW)

    assert (fresh(job).state, fresh(other).state) == ("cancelled", "activated")
    assert fresh(other).decision.n_jobs == 1
