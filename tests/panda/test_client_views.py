"""What PanDA's client is told of tasks and jobs, and what it does with jobs."""

from __future__ import annotations

import json

import pytest

from jobs import identity
from jobs.models import DebugMode, Job, TaskInput
from pandasite.base.models import AuditLine
from tests.builders import (
    create_job,
    create_site,
    create_user,
)
from tests.panda.calls import get_job, token, update, waiting_job
from tests.panda.client import ask, numbers, post, task_of
from tests.tasks_engine.drive import finish_jobs, live_jobs, rounds

pytestmark = pytest.mark.django_db


def test_pbook_gets_the_tasks_of_its_user_as_it_shows_them(jdoe):
    numbers()
    task = task_of(jdoe, "input")
    task_of(identity.client_token(create_user("other"), days=1))
    finish_jobs(live_jobs(task)[:1])
    rounds()

    shown = ask(
        "task/get_tasks_detailed_info_since", by=jdoe, n_tasks=1000, since="2009-01-01 00:00:00"
    )

    (one,) = shown["data"]
    assert (one["jediTaskID"], one["reqID"], one["taskName"]) == (
        task.pk, task.pk, "user.jdoe.sample/",
    )  # fmt: skip
    assert (one["status"], one["superStatus"], one["userName"]) == ("running", "running", "jdoe")
    assert (one["nFiles"], one["nFilesFinished"], one["pctFinished"]) == (4, 2, 50)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"jediTaskID": "{pk}"}, True),
        ({"jediTaskID": "10"}, False),
        ({"reqID": "{pk}"}, True),
        ({"superStatus": "running"}, True),
        ({"superStatus": "done"}, False),
        ({"status": "running", "taskName": "user.jdoe.t*"}, True),
        ({"taskName": "user.jdoe.test1/"}, True),
        ({"userName": "other"}, False),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_pbook_filters_its_tasks(jdoe, filters, found):
    task = task_of(jdoe)
    said = {name: value.format(pk=task.pk) for name, value in filters.items()}

    answer = ask("task/get_tasks_detailed_info_since", by=jdoe, filters=json.dumps(said))

    assert [one["jediTaskID"] for one in answer["data"]] == [task.pk] * found


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"filters": "{}}"}, "JSON"),
        ({"filters": '{"color": "red"}'}, "filters.color is not known"),
        ({"since": "yesterday"}, "since must be a time like"),
        ({"n_tasks": "0"}, "n_tasks must be between 1 and 1000"),
    ],
    ids=["json", "name", "time", "number"],
)
def test_a_bad_filter_is_refused_with_its_name(jdoe, values, named):
    answer = ask("task/get_tasks_detailed_info_since", by=jdoe, **values)

    assert answer["success"] is False
    assert named in answer["message"]


def test_what_is_told_of_a_task_in_detail(jdoe):
    numbers()
    task = task_of(jdoe, "input")
    finish_jobs(live_jobs(task)[:1])
    rounds()
    jobs = sorted(Job.objects.filter(task=task).values_list("pk", flat=True), reverse=True)

    flags = {"include_parameters": "True", "include_status": "True"}
    details = ask("task/get_details", by=jdoe, task_id=task.pk, **flags)["data"]
    types = {"dataset_types": ["input", "pseudo_input"]}
    files = ask("task/get_datasets_and_files", by=jdoe, task_id=task.pk, **types)["data"]
    described = ask("task/get_job_descriptions", by=jdoe, task_id=task.pk)["data"]

    assert (details["inDS"], details["outDS"]) == ("user.jdoe.input", "user.jdoe.sample_out.txt")
    assert (details["PandaID"], details["status"]) == (jobs, "running")
    assert details["taskParams"]["nFilesPerJob"] == 2
    assert ask("task/get_job_ids", by=jdoe, task_id=task.pk)["data"] == jobs
    assert [f["status"] for f in files[0]["files"]] == ["finished"] * 2 + ["running"] * 2
    assert TaskInput.objects.filter(task=task).count() == len(files[0]["files"])
    assert [job["PandaID"] for job in described] == jobs
    assert {f["type"] for f in described[0]["Files"]} == {"input", "output"}
    since = {"since": "2009-01-01 00:00:00", "dn": "None", "min_task_id": "None"}
    assert list(ask("task/get_tasks_modified_since", by=jdoe, **since)["data"]) == [str(task.pk)]


def test_jobs_are_killed_one_by_one_and_only_the_callers_own(jdoe):
    mine = create_job(owner=create_user("jdoe"))
    other = create_job()

    answer = post("job/kill", {"job_ids": [mine.pk, other.pk]}, by=jdoe)

    assert (answer["success"], answer["data"]) == (True, [True, False])
    assert f"there is no job {other.pk} of yours" in answer["message"]
    assert list(Job.objects.order_by("pk").values_list("state", flat=True)) == [
        "cancelled", "defined",
    ]  # fmt: skip


def test_jobs_are_described_in_the_order_asked_and_others_are_not_there(jdoe):
    mine = create_job("failed", owner=create_user("jdoe"), pilot_error_code=1305)
    other = create_job()

    answer = post("job/get_description", {"job_ids": [other.pk, mine.pk]}, by=jdoe)

    assert answer["data"][0] is None
    assert (answer["data"][1]["jobStatus"], answer["data"][1]["pilotErrorCode"]) == ("failed", 1305)


def test_the_pilot_of_a_job_in_debug_mode_is_told_to_send_more(jdoe):
    waiting_job(owner=create_user("jdoe"))
    pilot = token()
    job = get_job(by=pilot)
    asked = {"job_id": job["PandaID"], "mode": True}

    before = update(job, "running", by=pilot)["command"]
    answer = post("job/set_debug_mode", asked, by=jdoe)
    during = update(job, "running", by=pilot)["command"]
    post("job/set_debug_mode", asked | {"mode": False}, by=jdoe)
    after = update(job, "running", by=pilot)["command"]

    assert answer["success"] and "is on" in answer["message"]
    assert (before, during, after) == ("NULL", "debug", "debugoff")
    actions = AuditLine.objects.values_list("action", flat=True)
    assert list(actions) == ["job_debug"] * 2


def test_nobody_debugs_jobs_of_others_or_jobs_that_have_ended(jdoe):
    other = create_job("activated", site=create_site())
    ended = create_job("finished", owner=create_user("jdoe"))

    answers = [
        post("job/set_debug_mode", {"job_id": job.pk, "mode": True}, by=jdoe)
        for job in (other, ended)
    ]

    assert [(a["success"], a["data"]) for a in answers] == [(False, 2), (False, 4)]
    assert not DebugMode.objects.exists()
