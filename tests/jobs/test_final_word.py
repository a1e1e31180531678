"""The final word hands the job over, once; a kill is obeyed with the next word."""

import pytest

from jobs import fsck, services
from jobs.models import Job
from jobs.states import LEASED, JobState
from pandasite.base.errors import Conflict, IllegalMove, Unprocessable
from tests.builders import (
    ADLER32,
    GUID,
    LEASE_TOKEN,
    NOW,
    after,
    create_job,
)
from tests.jobs.asking import made, say

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


def columns(job):
    return Job.objects.filter(pk=job.pk).values().get(), job.events.count()


# -- the final word ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", LEASED)
def test_a_finished_job_is_held_for_registration(site, pilots, state):
    job = create_job(state, site=site, outputs=["HIST.1"])

    answer = say(pilots, job.pk, "finished", output_files=made("HIST.1"), exit_code=0)

    held = fresh(job)
    assert answer.state == held.state == "holding"
    assert (held.verdict, held.lease_until, held.trans_exit_code) == ("finished", None, 0)
    assert held.start_time is not None
    file = job.files.get()
    assert (file.size, file.adler32, file.guid, file.status) == (10, ADLER32, GUID, "pending")
    assert job.events.last().reason["said"] == "finished"


def test_the_pilots_clock_is_kept_as_its_claim(site, pilots):
    job = create_job("running", site=site)

    say(
        pilots, job.pk, "finished", now=after(hours=1), sent_at=after(hours=1),
        start_time=after(minutes=2), end_time=after(minutes=50),
    )  # fmt: skip

    assert fresh(job).start_time == NOW
    said = job.events.last().reason
    assert said["start_time"] == "2009-09-17T12:02:00+00:00"
    assert said["end_time"] == "2009-09-17T12:50:00+00:00"
    assert "clock_skew_s" not in said


@pytest.mark.parametrize(("minutes", "skew"), [(-6, -360), (6, 360)])
def test_a_clock_that_is_far_off_is_noted_and_decides_nothing(site, pilots, minutes, skew):
    job = create_job("running", site=site)

    answer = say(pilots, job.pk, "finished", sent_at=after(minutes=minutes))

    assert answer.state == "holding"
    assert job.events.last().reason["clock_skew_s"] == skew


def test_a_job_without_all_its_outputs_is_not_finished(site, pilots):
    job = create_job("running", site=site, outputs=["HIST.1", "HIST.2", "HIST.3"])
    before = columns(job)

    with pytest.raises(Unprocessable) as refusal:
        say(pilots, job.pk, "finished", output_files=made("HIST.2"))

    assert refusal.value.code == "missing_outputs"
    assert refusal.value.extra["missing"] == ["HIST.1", "HIST.3"]
    assert columns(job) == before
    assert job.files.get(lfn="HIST.2").size is None


def test_a_job_cannot_finish_with_outputs_that_it_never_declared(site, pilots):
    job = create_job("running", site=site, outputs=["HIST.1"])

    with pytest.raises(Unprocessable) as refusal:
        say(pilots, job.pk, "finished", output_files=made("HIST.1", "core.1"))

    assert refusal.value.code == "unknown_outputs"
    assert refusal.value.extra["unknown"] == ["core.1"]


def test_a_failed_job_needs_no_outputs_and_keeps_its_errors(site, pilots):
    job = create_job("running", site=site, outputs=["HIST.1"])

    say(
        pilots, job.pk, "failed", exit_code=139,
        errors={"exe_error_code": 60010, "exe_error_diag": "segmentation violation"},
    )  # fmt: skip

    assert fresh(job).verdict == "failed"
    assert fresh(job).errors() == [("exe", 60010, "segmentation violation")]
    assert fresh(job).trans_exit_code == 139


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"exit_code": 7}, ("exe", 69999)),
        ({}, ("pilot", 1220)),
        ({"exit_code": 0}, ("pilot", 1220)),
    ],
)
def test_a_failure_without_a_code_still_has_an_error(site, pilots, said, error):
    job = create_job("running", site=site)

    say(pilots, job.pk, "failed", **said)

    assert fresh(job).errors()[0][:2] == error


@pytest.mark.parametrize("word", ["finished", "failed"])
def test_the_log_is_booked_under_the_name_of_its_attempt(site, pilots, word):
    job = create_job("running", site=site)
    lfn = f"log.{job.pk}._1.job.log.tgz"

    say(pilots, job.pk, word, log_file=made(lfn)[0])

    log = job.files.get()
    assert (log.type, log.scope, log.lfn, log.size) == ("log", "log", lfn, 10)


def test_a_log_under_another_name_is_refused(site, pilots):
    job = create_job("running", site=site)

    with pytest.raises(Unprocessable) as refusal:
        say(pilots, job.pk, "failed", log_file=made("passwd")[0])

    assert refusal.value.code == "unknown_outputs"
    assert fresh(job).state == "running"


# -- after the final word ----------------------------------------------------------------------


@pytest.mark.parametrize("state", ["holding", "transferring", "finished"])
def test_the_final_word_again_is_acknowledged_again(site, pilots, state):
    job = create_job("holding", site=site)
    if state != "holding":
        services.must_move(job, JobState(state), actor="register", now=NOW)
    before = columns(job)

    for seq in (1, 2):
        answer = say(pilots, job.pk, "finished", seq=seq)
        assert (answer.state, answer.replayed) == (state, True)

    assert columns(job) == before


@pytest.mark.parametrize("word", ["starting", "running", "failed"])
def test_another_word_after_the_final_one_is_illegal(site, pilots, word):
    job = create_job("holding", site=site)
    before = columns(job)

    with pytest.raises(IllegalMove) as refusal:
        say(pilots, job.pk, word, seq=2)

    assert refusal.value.extra["from"] == "holding"
    assert refusal.value.extra["to"] not in refusal.value.extra["legal"]
    assert columns(job) == before


def test_a_heartbeat_overtaken_by_the_final_word_is_a_repeat(site, pilots):
    job = create_job("holding", site=site, report_seq=5)

    assert say(pilots, job.pk, "running", seq=4).replayed


@pytest.mark.parametrize("word", ["running", "failed"])
def test_another_word_about_a_job_that_has_ended_is_refused(site, pilots, word):
    job = create_job("holding", site=site)
    services.must_move(job, JobState.FINISHED, actor="register", now=NOW)
    before = columns(job)

    with pytest.raises(Conflict) as refusal:
        say(pilots, job.pk, word, seq=2)

    assert refusal.value.code == "already_final"
    assert refusal.value.extra["command"] == "tobekilled"
    assert columns(job) == before


# -- kill --------------------------------------------------------------------------------------


def kill(job):
    services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)


@pytest.mark.parametrize("word", ["starting", "running", "finished", "failed"])
def test_a_killed_job_ends_with_its_pilots_next_word(site, pilots, word):
    job = create_job("running", site=site)
    kill(job)

    answer = say(pilots, job.pk, word, now=after(minutes=1))

    assert (answer.state, answer.command) == ("cancelled", "tobekilled")
    assert fresh(job).errors() == [("task_buffer", 100, "alice: wrong seed")]
    assert fresh(job).end_time == after(minutes=1)
    assert fsck.check() == []


def test_the_word_that_ended_a_killed_job_is_answered_the_same_again(site, pilots):
    job = create_job("running", site=site)
    kill(job)
    say(pilots, job.pk, "running")
    before = columns(job)

    again = say(pilots, job.pk, "running")

    assert (again.state, again.command, again.replayed) == ("cancelled", "tobekilled", True)
    assert columns(job) == before


def test_a_kill_of_the_first_attempt_does_not_reach_the_second(site, pilots):
    job = create_job("running", site=site, attempt_nr=2, command="tobekilled", command_attempt=1)

    answer = say(pilots, job.pk, "running", attempt_nr=2)

    assert (answer.state, answer.command) == ("running", None)


def test_a_killed_pilot_without_the_lease_learns_nothing(site, pilots):
    job = create_job("running", site=site)
    kill(job)

    with pytest.raises(Conflict):
        say(pilots, job.pk, "running", lease_token="guess")

    assert fresh(job).state == "running"
    assert fresh(job).lease_sha256 != LEASE_TOKEN
