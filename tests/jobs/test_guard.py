"""The table of moves is kept twice: by the services, and by the database for everybody else."""

import pytest
from django.db import IntegrityError, transaction

from jobs import lease, services
from jobs.models import Job
from jobs.states import FINAL, LEASED, MOVES, JobState
from pandasite.base.errors import IllegalMove
from tests.builders import NOW, after, create_job

pytestmark = pytest.mark.django_db
S = JobState


def fresh(job):
    return Job.objects.get(pk=job.pk)


def only(job):
    return Job.objects.filter(pk=job.pk)


def columns(job):
    """All of the row, to see that a refusal changed nothing."""
    return Job.objects.filter(pk=job.pk).values().get()


@pytest.mark.parametrize("state", JobState)
def test_a_move_that_the_table_does_not_have_moves_nothing(state):
    job = create_job(state)
    before = columns(job)

    for to in set(JobState) - MOVES[state]:
        assert services.move(only(job), to, actor="test", now=after(hours=1)) == []

    assert columns(job) == before
    assert job.events.count() == 1


@pytest.mark.parametrize("state", JobState)
def test_a_move_that_has_to_happen_says_which_moves_there_are(state):
    job = create_job(state)

    for to in set(JobState) - MOVES[state]:
        with pytest.raises(IllegalMove) as refusal:
            services.must_move(job, to, actor="test", now=NOW)

        assert refusal.value.code == "illegal_transition"
        assert refusal.value.extra["from"] == state
        assert refusal.value.extra["to"] == to
        assert set(refusal.value.extra["legal"]) == MOVES[state]


@pytest.mark.parametrize("state", JobState)
def test_the_database_refuses_the_moves_that_the_table_does_not_have(state):
    job = create_job(state)

    for to in set(JobState) - MOVES[state] - {state}:
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            only(job).update(state=to)

        assert refusal.value.__cause__.diag.constraint_name == "jobs_job_legal_move"
    assert fresh(job).state == state


def test_the_database_knows_no_thirteenth_state():
    stranger = create_job()
    stranger.pk, stranger.state = None, "merging"

    with pytest.raises(IntegrityError, match="job_state_known"), transaction.atomic():
        stranger.save(force_insert=True)


@pytest.mark.parametrize("state", FINAL)
def test_the_database_wants_an_end_time_for_every_end(state):
    job = create_job(state)

    with pytest.raises(IntegrityError, match="job_ended_iff_final"), transaction.atomic():
        only(job).update(end_time=None)


def test_the_database_refuses_an_end_time_before_the_end():
    job = create_job("running")

    with pytest.raises(IntegrityError, match="job_ended_iff_final"), transaction.atomic():
        only(job).update(end_time=NOW)


@pytest.mark.parametrize("state", LEASED)
@pytest.mark.parametrize("missing", [{"lease_until": None}, {"lease_sha256": ""}])
def test_the_database_wants_a_lease_for_every_job_with_a_pilot(state, missing):
    job = create_job(state)

    with pytest.raises(IntegrityError, match="job_leased_iff_with_pilot"), transaction.atomic():
        only(job).update(**missing)


def test_the_database_refuses_a_lease_without_a_pilot():
    job = create_job("activated")

    with pytest.raises(IntegrityError, match="job_leased_iff_with_pilot"), transaction.atomic():
        only(job).update(lease_until=NOW, lease_sha256=lease.fingerprint("x"))


@pytest.mark.parametrize("state", [S.ASSIGNED, S.ACTIVATED, *LEASED])
def test_the_database_wants_a_site_for_every_job_that_was_brokered(state):
    job = create_job(state)

    with pytest.raises(IntegrityError, match="job_at_a_site"), transaction.atomic():
        only(job).update(computing_site=None)
