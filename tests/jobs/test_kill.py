"""Killing: at once before a pilot has the job, by command afterwards, never after the end."""

import pytest

from jobs import lease, services
from jobs.models import Job
from jobs.states import FINAL, LEASED, QUEUED, JobState
from pandasite.base.errors import Conflict, IllegalMove, NotThere
from tests.builders import LEASE_TOKEN, NOW, create_job

pytestmark = pytest.mark.django_db
S = JobState


def fresh(job):
    return Job.objects.get(pk=job.pk)


def columns(job):
    """All of the row, to see that a refusal changed nothing."""
    return Job.objects.filter(pk=job.pk).values().get()


@pytest.mark.parametrize("state", QUEUED)
def test_a_job_killed_before_it_runs_is_cancelled_at_once(state):
    job = create_job(state)

    answer = services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    killed = fresh(job)
    assert answer == killed.state == "cancelled"
    assert killed.end_time == NOW
    assert killed.errors() == [("task_buffer", 100, "wrong seed")]
    assert job.events.last().actor == "alice"


def test_the_outputs_of_a_killed_job_are_not_waited_for():
    job = create_job("activated", outputs=["HIST.1"])

    services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    assert [f.status for f in job.files.filter(type="output")] == ["failed"]


@pytest.mark.parametrize("state", LEASED)
def test_a_job_killed_with_its_pilot_gets_the_command_for_this_attempt(state):
    job = create_job(state)

    answer = services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    told = fresh(job)
    assert answer == told.state == state
    assert (told.command, told.command_attempt) == ("tobekilled", 1)
    assert told.command_reason == "alice: wrong seed"
    assert (told.errors(), told.task_buffer_error_diag) == ([], "")  # it may still finish first
    assert job.events.count() == 1


@pytest.mark.parametrize("state", [S.HOLDING, S.TRANSFERRING])
def test_a_job_whose_work_is_done_cannot_be_killed(state):
    job = create_job(state)

    with pytest.raises(IllegalMove):
        services.kill(job.pk, actor="alice", reason="late", now=NOW)

    assert fresh(job).state == state


@pytest.mark.parametrize("state", FINAL)
def test_a_job_that_has_ended_cannot_be_killed(state):
    job = create_job(state)
    before = columns(job)

    with pytest.raises(Conflict) as refusal:
        services.kill(job.pk, actor="alice", reason="late", now=NOW)

    assert refusal.value.code == "already_final"
    assert columns(job) == before


def test_a_job_that_does_not_exist_cannot_be_killed():
    with pytest.raises(NotThere):
        services.kill(123, actor="alice", reason="?", now=NOW)


def test_the_lease_of_a_killed_job_is_still_known():
    """So that the pilot's next word is answered with the end of its job, not with a riddle."""
    job = create_job("running")

    services.cancel_killed(Job.objects.filter(pk=job.pk), actor="pilot", now=NOW, why="wrong seed")

    assert lease.matches(LEASE_TOKEN, fresh(job).lease_sha256)
