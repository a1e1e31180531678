"""Every limit of the watchdog, just before and just after it, with a clock that is given."""

import pytest

from jobs import errors, fsck, services, watch
from jobs.models import Job, JobOutput, Pulse
from jobs.states import LEASED, JobState
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error, raising
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

pytestmark = pytest.mark.django_db
S = JobState


def fresh(job):
    return Job.objects.get(pk=job.pk)


def last_event(job):
    return job.events.order_by("-seq").first()


def limit(settings, **limits):
    """With these limits instead of the defaults."""
    settings.PANDASITE = settings.PANDASITE | limits


def state_after(job, **span):
    watch.run(after(**span))
    return fresh(job).state


def end(job):
    """(state, component, code) of a job."""
    job = fresh(job)
    return (job.state, *(job.errors()[0][:2] if job.errors() else ()))


# -- with a pilot ------------------------------------------------------------------------------


def test_a_job_without_word_after_sending_goes_back_to_the_queue():
    job = create_job("sent", lease_until=after(minutes=30))

    assert state_after(job, minutes=29) == "sent"
    assert state_after(job, minutes=31) == "activated"
    assert last_event(job).reason["code"] == 102
    assert last_event(job).actor == "watchdog"


def test_a_job_without_word_after_its_last_sending_fails():
    job = create_job("sent", lease_until=after(minutes=30), max_attempt=1)

    watch.run(after(minutes=31))

    assert end(job) == ("failed", "job_dispatcher", 102)


@pytest.mark.parametrize("state", ["starting", "running"])
def test_a_lost_heartbeat_is_noticed_after_lease_and_grace(state):
    job = create_job(state, lease_until=after(hours=2))

    assert state_after(job, hours=2, seconds=59) == state
    assert state_after(job, hours=2, seconds=61) == "activated"
    assert last_event(job).reason["code"] == 100


def test_a_lost_heartbeat_in_the_last_attempt_fails_the_job():
    job = create_job("running", max_attempt=1)

    watch.run(after(hours=3))

    assert end(job) == ("failed", "job_dispatcher", 100)


def test_a_new_attempt_starts_without_what_was_measured_of_the_lost_one():
    job = create_job("running", cpu_consumption_time=5000, max_rss_mb=1900, trans_exit_code=1)
    JobOutput.objects.create(job=job, attempt_nr=1, tail="event 7", at=NOW)

    watch.run(after(hours=3))

    again = fresh(job)
    assert (again.cpu_consumption_time, again.max_rss_mb, again.trans_exit_code) == (0, 0, None)
    assert (again.output.attempt_nr, again.output.tail) == (1, "event 7")  # all there is of it


def test_a_job_that_runs_for_days_is_left_alone_while_its_heart_beats():
    job = create_job("running", lease_until=after(days=20, hours=2))

    assert state_after(job, days=20) == "running"


def test_a_heartbeat_between_look_and_move_saves_the_job(monkeypatch):
    job = create_job("running")
    requeue = services.requeue

    def heartbeat_first(*args, **kwargs):
        Pulse.objects.filter(pk=job.pk).update(lease_until=after(hours=9))
        return requeue(*args, **kwargs)

    monkeypatch.setattr(services, "requeue", heartbeat_first)

    assert watch.silent(after(hours=3)) == 0
    assert fresh(job).state == "running"


def test_a_first_word_between_look_and_move_saves_the_job(monkeypatch):
    job = create_job("sent", lease_until=after(minutes=30))
    requeue = services.requeue

    def word_first(*args, **kwargs):
        services.must_move(
            job, S.RUNNING, actor="pilot", now=after(minutes=31), lease_until=after(hours=2)
        )
        return requeue(*args, **kwargs)

    monkeypatch.setattr(services, "requeue", word_first)

    assert watch.unanswered(after(minutes=31)) == 0
    assert fresh(job).state == "running"


@pytest.mark.parametrize("state", LEASED)
def test_a_killed_job_ends_at_the_latest_when_its_lease_does(state):
    job = create_job(state, lease_until=after(hours=2))
    services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    assert state_after(job, hours=1, minutes=59) == state
    assert state_after(job, hours=2, seconds=1) == "cancelled"
    assert fresh(job).errors() == [("task_buffer", 100, "alice: wrong seed; its pilot fell silent")]
    assert (fresh(job).command, fresh(job).command_reason) == ("", "")


def test_a_killed_job_whose_pilot_is_lost_is_not_run_again():
    job = create_job("running")
    services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    watch.run(after(days=1))

    assert Job.objects.count() == 1
    assert fresh(job).attempt_nr == 1


def test_a_job_that_runs_for_more_than_three_weeks_is_killed():
    job = create_job("running", lease_until=after(days=30))

    watch.run(after(days=21, minutes=-1))
    assert fresh(job).command == ""

    assert watch.run(after(days=21, minutes=1)) == 1
    assert watch.run(after(days=21, minutes=2)) == 0
    told = fresh(job)
    assert (told.state, told.command, told.command_attempt) == ("running", "tobekilled", 1)
    assert told.command_reason == "watchdog: it runs for more than 21 days"


def test_the_weeks_of_a_lost_attempt_do_not_count():
    job = create_job(
        "running", start_time=after(days=20), creation_time=NOW, lease_until=after(days=30)
    )

    watch.run(after(days=22))

    assert fresh(job).command == ""


# -- after the pilot ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "hours"), [("user", 3), ("panda", 3), ("ddm", 3), ("managed", 48)]
)
def test_outputs_that_are_not_registered_in_time_fail_the_job(label, hours):
    job = create_job("holding", prod_source_label=label)

    assert state_after(job, hours=hours, minutes=-1) == "holding"
    assert state_after(job, hours=hours, minutes=1) == "failed"
    assert end(job) == ("failed", "job_dispatcher", 101)


@pytest.mark.parametrize(("priority", "hours"), [(900, 24), (899, 48)])
def test_outputs_that_do_not_come_home_in_time_fail_the_job(priority, hours):
    job = create_job("transferring", current_priority=priority)

    assert state_after(job, hours=hours, minutes=-1) == "transferring"
    assert state_after(job, hours=hours, minutes=1) == "failed"
    assert end(job) == ("failed", "task_buffer", 101)


def test_outputs_that_do_not_come_home_say_what_was_in_the_way():
    home, file = create_storage(), create_file("HIST.1")
    job = create_job("transferring", outputs=["HIST.1"], destination_se=home)
    job.files.update(file=file)
    create_transfer(file, home, state="failed", error="disk full", ended_at=after(hours=1))

    watch.run(after(hours=49))

    assert fresh(job).task_buffer_error_diag == (
        "outputs did not reach their destination; mc09:HIST.1: disk full"
    )


# -- in a queue --------------------------------------------------------------------------------


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


# -- the sweep itself --------------------------------------------------------------------------


def test_two_runs_at_the_same_moment_are_as_good_as_one():
    jobs = [create_job(state) for state in JobState]

    first, second = watch.run(after(days=8)), watch.run(after(days=8))

    assert (first > 0, second) == (True, 0)
    assert {fresh(job).state for job in jobs} <= {"failed", "activated", "finished", "cancelled"}
    assert fsck.check() == []


def test_a_round_takes_a_bounded_bunch_and_the_next_one_the_rest(monkeypatch):
    monkeypatch.setattr(watch, "BATCH", 2)
    for _ in range(3):
        create_job("running")

    assert watch.run(after(hours=3)) == 2
    assert watch.run(after(hours=3)) == 1


def test_a_rule_that_fails_does_not_keep_the_others_from_running(monkeypatch):
    monkeypatch.setattr(services, "requeue", raising(database_error("55P03")))
    lost, old = create_job("running"), create_job("waiting")

    with pytest.raises(Incomplete, match="silent: a lock was not to be had in time"):
        watch.run(after(days=2))

    assert (fresh(lost).state, fresh(old).state) == ("running", "failed")


def test_the_words_of_a_lost_heartbeat_name_the_limit():
    job = create_job("running", max_attempt=1)

    watch.run(after(hours=3))

    assert fresh(job).job_dispatcher_error_diag == "no heartbeat within 7200 s"


def test_every_error_of_the_watchdog_is_in_the_catalogue():
    used = (
        errors.NO_REPLY, errors.LOST_HEARTBEAT, errors.RECOVERY_FAILED, errors.TRANSFER_TIMEOUT,
        errors.EXPIRED, errors.WAIT_TIMEOUT, errors.KILLED,
    )  # fmt: skip

    assert not [e for e in used if errors.meaning(e.component, e.code) == "Unknown error code"]
