"""POST /rest/v1/jobs/kill: one job has its own status, several a result each."""

import pytest
from django.contrib.auth.models import Group, Permission

from jobs.models import Job
from tests.api.calls import POSTS, person, problem, send
from tests.builders import create_job, create_user

pytestmark = pytest.mark.django_db
ADDRESS = POSTS[3]


def kill(*panda_ids, reason="wrong seed", who=None):
    return send(who or person(), ADDRESS, {"panda_ids": list(panda_ids), "reason": reason})


def state_of(job):
    return Job.objects.get(pk=job.pk).state


@pytest.mark.parametrize("state", ["defined", "waiting", "assigned", "activated"])
def test_a_job_that_waits_is_cancelled_at_once(state):
    job = create_job(state)

    answer = kill(job.pk)

    assert answer.status_code == 200
    assert answer.json() == {"jobs": [{"panda_id": job.pk, "status": 200, "state": "cancelled"}]}
    assert state_of(job) == "cancelled"


def test_a_job_that_runs_is_told_to_end():
    job = create_job("running")

    assert kill(job.pk).json()["jobs"][0]["state"] == "running"
    assert Job.objects.get().command == "tobekilled"


# -- one job: its own status -------------------------------------------------------------------


def test_a_job_that_is_not_there_and_one_of_others_look_alike():
    others = create_job(owner=create_user("bob"))

    theirs = problem(kill(others.pk), 404, "not_found")
    nobodys = problem(kill(others.pk + 1), 404, "not_found")

    assert theirs["message"].replace(str(others.pk), "N") == nobodys["message"].replace(
        str(others.pk + 1), "N"
    )
    assert state_of(others) == "defined"


def test_members_of_its_group_are_told_why_not():
    job = create_job(owner=create_user("bob"), working_group="higgs")
    create_user("alice").groups.add(Group.objects.create(name="higgs"))

    problem(kill(job.pk), 403, "not_owner")


def test_who_may_kill_any_job_may():
    job = create_job(owner=create_user("bob"))
    create_user("alice").user_permissions.add(Permission.objects.get(codename="kill_any_job"))

    assert kill(job.pk).status_code == 200


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_a_job_that_has_ended_is_final(state):
    problem(kill(create_job(state).pk), 409, "already_final")


@pytest.mark.parametrize("state", ["holding", "transferring"])
def test_a_job_whose_work_is_done_cannot_be_cancelled(state):
    refused = problem(kill(create_job(state).pk), 409, "illegal_transition")

    assert refused["from"] == state
    assert "cancelled" not in refused["legal"]


# -- several: a result each --------------------------------------------------------------------


def test_several_jobs_get_a_result_each_in_their_order():
    mine, final, theirs = create_job(), create_job("failed"), create_job(owner=create_user("bob"))

    answer = kill(final.pk, mine.pk, theirs.pk)

    assert answer.status_code == 207
    results = answer.json()["jobs"]
    assert [one["panda_id"] for one in results] == [final.pk, mine.pk, theirs.pk]
    assert [one["status"] for one in results] == [409, 200, 404]
    assert [one.get("error") for one in results] == ["already_final", None, "not_found"]
    assert state_of(mine) == "cancelled"


def test_several_jobs_that_all_end_are_a_plain_success():
    answer = kill(create_job().pk, create_job().pk)

    assert answer.status_code == 200


def test_a_job_named_twice_is_killed_once():
    job = create_job()

    results = kill(job.pk, job.pk).json()["jobs"]

    assert [one["status"] for one in results] == [200, 409]


# -- refusals of the whole ---------------------------------------------------------------------


@pytest.mark.parametrize("panda_id", ["7", None, 1.5, True, [1]])
def test_a_job_is_named_by_its_number(panda_id):
    answer = kill(panda_id)

    assert answer.status_code == 400
    assert answer.json()["fields"][0]["field"] == "panda_ids[0]"


def test_a_kill_names_a_job_at_least():
    problem(kill(), 400, "too_few")


def test_a_kill_names_a_thousand_jobs_at_most():
    refused = problem(kill(*range(1, 1002)), 413, "too_many")

    assert refused["fields"][0]["limit"]["max"] == 1000


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_a_kill_has_a_reason(reason):
    problem(kill(create_job().pk, reason=reason), 400, "reason_required")


def test_a_reason_has_255_characters_at_most():
    problem(kill(create_job().pk, reason="x" * 256), 400, "too_long")
