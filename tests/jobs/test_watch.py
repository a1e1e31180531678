"""Every limit of the watchdog, just before and just after it, with a clock that is given."""

import pytest

from jobs import errors, fsck, services, watch
from jobs.models import Job, JobOutput, Pulse
from jobs.states import LEASED, JobState
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error, raising
from tests.builders import NOW, after, create_file, create_job, create_storage, create_transfer

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
