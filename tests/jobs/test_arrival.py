"""Transferring jobs: finished when the last output is home, failed when one cannot come."""

import pytest

from datasets import demand
from datasets.models import File, Transfer
from jobs import arrival, fsck, register
from jobs.models import Job
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    after,
    create_dataset,
    create_job,
    create_replica,
    create_site,
    create_storage,
)

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


def travelling(*lfns):
    home = create_storage()
    job = create_job(
        "holding", site=create_site(), outputs=lfns, destination_se=home, dataset=create_dataset()
    )
    job.files.update(size=10, adler32=ADLER32, guid=GUID)
    register.run(NOW)
    return fresh(job)


def arrive(job, lfn):
    create_replica(File.objects.get(lfn=lfn), job.destination_se)
    Transfer.objects.filter(file__lfn=lfn).update(state="done", ended_at=NOW)


def test_the_job_is_finished_when_the_last_output_has_arrived():
    job = travelling("HIST.1", "HIST.2")

    arrive(job, "HIST.1")
    assert arrival.run(after(hours=1)) == 0
    arrive(job, "HIST.2")
    assert arrival.run(after(hours=2)) == 1

    assert fresh(job).state == "finished"
    assert fresh(job).end_time == after(hours=2)
    assert {f.status for f in job.files.all()} == {"ready"}
    assert fsck.check() == []


def test_an_output_that_can_never_travel_fails_the_job_with_the_reason():
    job = travelling("HIST.1")
    Transfer.objects.update(
        state="failed", permanent=True, error="adler32 is 1", ended_at=after(minutes=1)
    )

    arrival.run(after(minutes=2))

    assert fresh(job).state == "failed"
    assert fresh(job).errors() == [("ddm", 200, "mc09:HIST.1: adler32 is 1")]


def test_an_output_whose_home_is_full_is_asked_for_again_after_a_pause():
    job = travelling("HIST.1")
    Transfer.objects.update(state="failed", error="disk full", ended_at=after(hours=25))

    for _ in range(2):
        arrival.run(after(hours=26))

    again = Transfer.objects.get(state="queued")
    assert (again.next_try_at > after(hours=26), again.error) == (True, "disk full")
    assert again.created_at == NOW  # it is wanted since then: pages call it stuck
    assert fresh(job).state == "transferring"


def test_a_job_whose_registered_output_is_stuck_is_not_run_again():
    """Its output is in the catalogue: a second one of the same name could never be registered."""
    job = travelling("HIST.1")
    Transfer.objects.update(
        state="failed", permanent=True, error="adler32 is 1", ended_at=after(minutes=1)
    )

    arrival.run(after(minutes=2))

    assert not Job.objects.filter(retry_of=job.pk).exists()


def test_a_failure_from_before_the_job_travelled_does_not_count():
    job = travelling("HIST.1")
    Transfer.objects.update(state="failed", permanent=True, error="old", ended_at=after(hours=-1))

    arrival.run(after(minutes=2))

    assert fresh(job).state == "transferring"
    assert Transfer.objects.filter(state="queued").count() == 1


def test_a_transfer_that_vanished_is_asked_for_again():
    job = travelling("HIST.1")
    Transfer.objects.all().delete()

    arrival.run(after(minutes=1))

    assert Transfer.objects.get().destination == job.destination_se
    assert fresh(job).state == "transferring"


def test_an_output_that_cannot_be_asked_for_now_does_not_stop_the_others(monkeypatch):
    first, second = travelling("HIST.1"), travelling("HIST.2")
    Transfer.objects.all().delete()
    ask_again = demand.ask_again

    def locked(file, *args, **kwargs):
        if file.lfn == "HIST.1":
            raise database_error("57014")
        return ask_again(file, *args, **kwargs)

    monkeypatch.setattr(demand, "ask_again", locked)

    with pytest.raises(Incomplete, match=f"job {first.pk}: a statement took too long"):
        arrival.run(after(minutes=1))

    assert Transfer.objects.get().destination == second.destination_se


def test_a_bad_replica_at_home_is_not_an_arrival():
    job = travelling("HIST.1")
    create_replica(File.objects.get(), job.destination_se, state="bad")

    arrival.run(after(minutes=1))

    assert fresh(job).state == "transferring"
