"""The watchdog's limits of jobs that no pilot has yet."""

import pytest

from jobs import services, watch
from jobs.models import Job
from tests.builders import (
    NOW,
    after,
    create_downtime,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_transfer,
    local_storage,
)
from tests.jobs.test_watch import end, fresh, last_event, limit, state_after

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", ["defined", "assigned", "activated"])
def test_a_job_older_than_a_week_expires_in_its_queue(settings, state):
    limit(settings, REBROKER_MAX=0, ASSIGNED_HOURS=720)
    job = create_job(state)

    assert state_after(job, days=7, minutes=-1) == state
    assert state_after(job, days=7, minutes=1) == "failed"
    assert end(job) == ("failed", "task_buffer", 102)


def test_a_job_that_ran_for_a_week_and_lost_its_pilot_has_a_new_week():
    job = create_job("running", lease_until=after(days=8))

    watch.run(after(days=8, minutes=2))
    assert fresh(job).state == "activated"
    watch.run(after(days=8, minutes=3))
    assert (fresh(job).state, fresh(job).queued_since) == ("activated", after(days=8, minutes=2))


def test_brokering_again_gives_no_new_week():
    job = create_job("assigned")

    assert state_after(job, days=1) == "defined"
    assert state_after(job, days=7, minutes=1) == "failed"


def test_a_job_claimed_between_look_and_move_does_not_expire(monkeypatch):
    job = create_job("activated")
    fail = services.fail

    def claim_first(*args, **kwargs):
        Job.objects.filter(pk=job.pk, state="activated").update(
            state="sent", lease_until=after(days=8), lease_sha256="x", attempt_nr=1
        )
        return fail(*args, **kwargs)

    monkeypatch.setattr(services, "fail", claim_first)

    assert watch.expired(after(days=7, minutes=1)) == 0
    assert fresh(job).state == "sent"


def test_a_job_whose_input_does_not_appear_fails_after_a_day():
    job = create_job("waiting")

    assert state_after(job, hours=23) == "waiting"
    assert state_after(job, hours=25) == "failed"
    assert end(job) == ("failed", "task_buffer", 104)


def test_a_job_whose_input_does_not_arrive_is_brokered_again():
    job = create_job("assigned")

    assert state_after(job, hours=11, minutes=59) == "assigned"
    assert state_after(job, hours=12, minutes=1) == "defined"
    assert fresh(job).rebroker_count == 1


def test_a_job_is_brokered_again_three_times_and_then_fails_with_the_last_trouble():
    site, file = create_site(), create_file("EVNT.1")
    job = create_job("assigned", site=site, inputs=[file], rebroker_count=3)
    create_transfer(file, local_storage(site), error="timed out")
    create_transfer(file, create_storage(), error="of no interest")

    assert state_after(job, hours=11, minutes=59) == "assigned"
    assert state_after(job, hours=12, minutes=1) == "failed"
    assert fresh(job).errors() == [
        ("ddm", 100, "its input did not arrive in time at any site; mc09:EVNT.1: timed out")
    ]


def test_a_job_that_no_pilot_wants_is_brokered_again_with_more_priority():
    low, high = create_job("activated"), create_job("activated", current_priority=500)

    watch.run(after(days=2, minutes=-1))
    assert fresh(low).state == "activated"

    watch.run(after(days=2, minutes=1))
    assert (fresh(low).state, fresh(low).current_priority) == ("defined", 100)
    assert (fresh(high).state, fresh(high).current_priority) == ("defined", 500)


@pytest.mark.parametrize(("label", "priority"), [("user", 540), ("managed", 500)])
def test_a_users_job_that_no_pilot_took_for_a_day_has_more_priority_once(label, priority):
    job = create_job(
        "activated", prod_source_label=label, assigned_priority=500, current_priority=500
    )

    watch.run(after(hours=24, minutes=-1))
    assert fresh(job).current_priority == 500

    for hours in (25, 26):
        watch.run(after(hours=hours))
    assert (fresh(job).state, fresh(job).current_priority) == ("activated", priority)


@pytest.mark.parametrize("state", ["assigned", "activated"])
def test_a_job_at_a_site_that_is_offline_for_hours_is_brokered_again(state):
    site = create_site("AGLT2", status="offline", status_at=NOW, status_reason="power cut")
    job = create_job(state, site=site, rebroker_count=3)

    assert state_after(job, hours=3, minutes=-1) == state
    assert state_after(job, hours=3, minutes=1) == "defined"
    assert last_event(job).reason == {"reason": "AGLT2 is offline for more than 3 h: power cut"}
    assert fresh(job).computing_site is None


def test_a_job_at_a_site_in_a_long_outage_is_brokered_again_once_that_has_lasted_for_hours():
    site = create_site("AGLT2")
    create_downtime(site, end=after(hours=9), description="new cooling")
    job, named = (create_job("activated", site=site, site_fixed=fixed) for fixed in (False, True))

    assert state_after(job, hours=3, minutes=-1) == "activated"
    assert state_after(job, hours=3, minutes=1) == "defined"
    words = "AGLT2 is in downtime for more than 3 h, until 2009-09-17 21:00 UTC: new cooling"
    assert last_event(job).reason == {"reason": words}
    assert fresh(named).state == "activated"


@pytest.mark.parametrize(
    ("status", "fixed"),
    [("online", False), ("brokeroff", False), ("test", False), ("offline", True)],
)
def test_a_job_stays_at_a_site_that_may_serve_it_or_that_was_named(status, fixed):
    site = create_site(status=status, status_at=NOW)
    job = create_job("activated", site=site, site_fixed=fixed)

    assert state_after(job, hours=9) == "activated"


def test_a_job_that_runs_at_an_offline_site_is_left_to_its_pilot():
    job = create_job("running", site=create_site(status="offline", status_at=after(days=-9)))

    assert state_after(job, hours=1) == "running"


def test_a_job_that_was_sent_to_its_site_by_name_keeps_waiting_there():
    job = create_job("activated", site_fixed=True)

    assert state_after(job, days=3) == "activated"


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_nothing_old_happens_to_a_job_that_has_ended(state):
    job = create_job(state)

    assert watch.run(after(days=400)) == 0
    assert fresh(job).state == state
