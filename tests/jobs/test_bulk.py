"""The verbs for many jobs at once: each row gets columns of its own, and its event."""

import pytest

from jobs import bulk, fsck
from jobs.bulk import Assignment
from jobs.models import BrokerageDecision, Job
from jobs.states import JobState
from tests.builders import NOW, after, create_cloud, create_job, create_site

pytestmark = pytest.mark.django_db
S = JobState


def fresh(job):
    return Job.objects.get(pk=job.pk)


def decision():
    return BrokerageDecision.objects.create(at=NOW, site="", n_jobs=1, detail={})


def to(site, job, state=S.ACTIVATED, *, why=None, block=""):
    return Assignment(
        panda_id=job.pk, to=state, site=site, decision=(why or decision()).pk, dispatch_block=block
    )


def test_a_job_with_missing_input_is_assigned_to_site_cloud_and_block():
    site, job, why = create_site("AGLT2"), create_job("defined"), decision()

    bulk.assign([to(site, job, S.ASSIGNED, why=why, block="panda.EVNT.1_dis1")], now=NOW)

    placed = fresh(job)
    assert (placed.state, placed.computing_site, placed.cloud) == ("assigned", site, site.cloud)
    assert (placed.decision, placed.dispatch_d_block) == (why, "panda.EVNT.1_dis1")
    assert job.events.last().reason == {
        "site": "AGLT2",
        "decision": why.pk,
        "dispatchDBlock": "panda.EVNT.1_dis1",
    }
    assert fsck.check() == []


def test_a_job_without_missing_input_skips_assigned():
    site, job = create_site(), create_job("defined")

    bulk.assign([to(site, job)], now=after(minutes=5))

    placed, event = fresh(job), job.events.last()
    assert (placed.state, placed.event_seq) == ("activated", 2)
    assert placed.state_change_time == placed.modification_time == event.at == after(minutes=5)
    assert (event.seq, event.from_state, event.to_state) == (2, "defined", "activated")
    assert (event.actor, event.attempt_nr) == ("brokerage", 0)


def test_each_job_goes_to_a_place_of_its_own():
    sites = [create_site("AGLT2"), create_site("LYON", cloud=create_cloud("FR"))]
    jobs = [create_job("defined") for _ in sites]

    moved = bulk.assign([to(*pair) for pair in zip(sites, jobs, strict=True)], now=NOW)

    assert moved == [job.pk for job in jobs]
    assert [fresh(job).computing_site for job in jobs] == sites
    assert [fresh(job).cloud.name for job in jobs] == ["US", "FR"]
    assert [job.events.last().reason["site"] for job in jobs] == ["AGLT2", "LYON"]
    assert fsck.check() == []


def test_an_assigned_job_is_not_assigned_again():
    first, second = create_site(), create_site()
    job, other = create_job("assigned", site=first), create_job("defined")

    moved = bulk.assign([to(second, job), to(second, other)], now=NOW)

    assert moved == [other.pk]
    assert fresh(job).computing_site == first
    assert job.events.count() == 1


def test_nothing_is_assigned_by_nothing():
    assert bulk.assign([], now=NOW) == []
