"""The calls of PanDA's client, as it makes them: JSON, GET with text, always an answer of 200."""

from __future__ import annotations

import base64
import json

import pytest
from django.core.management import call_command
from django.test import Client

from jobs import identity
from jobs.models import Task
from pandasite.base.models import AuditLine
from tests.builders import (
    create_user,
)
from tests.panda.calls import JSON, token, told, waiting_job
from tests.panda.client import ask, numbers, post, submit, task_of
from tests.panda.prun import sample
from tests.tasks_engine.drive import fail_for_good, live_jobs, rounds, run_to_end

pytestmark = pytest.mark.django_db


def test_a_task_is_made_and_its_number_is_in_the_message(jdoe):
    answer = submit(jdoe)

    task = Task.objects.get()
    assert answer == {
        "success": True,
        "message": f"succeeded. new jediTaskID={task.pk}",
        "data": task.pk,
    }
    assert task.pk > 10_000_000  # smaller numbers are requests to pbook
    assert (task.owner.username, task.name) == ("jdoe", "user.jdoe.test1")
    rounds()
    ends = [job.job_parameters.rpartition(" ")[2] for job in live_jobs(task)]
    assert ends == [f'"./run.sh%20{n}"' for n in (11, 12, 13)]
    sent = sample("no_input", site=None, skipScout=True)
    assert ask("task/get_task_parameters", by=jdoe, task_id=task.pk)["data"] == sent


def test_a_request_that_cannot_be_had_is_told_by_name_and_makes_nothing(jdoe):
    answer = submit(jdoe, "container", vo="chemvo")

    assert (answer["success"], answer["data"]) == (False, None)
    assert "container_name is not offered here" in answer["message"]
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vo": "nobody"}, "vo nobody is not known"),
        ({"site": "NOWHERE"}, "site NOWHERE is not known"),
        ({"currentPriority": 900_000}, "priority"),
        ({"taskName": "x" * 300}, "name must have at most 255 characters"),
    ],
    ids=["vo", "site", "priority", "name"],
)
def test_a_fault_that_the_engine_finds_is_told_in_the_envelope(jdoe, changes, named):
    answer = submit(jdoe, **changes)

    assert answer["success"] is False
    assert named in answer["message"]


def test_the_same_name_again_is_refused_while_the_task_is_at_work_or_done(jdoe):
    task = task_of(jdoe)

    active = submit(jdoe)
    run_to_end(task)
    done = submit(jdoe)

    assert [(a["success"], a["data"]) for a in (active, done)] == [(False, 2)] * 2
    assert f"jediTaskID={task.pk}" in active["message"] and "running" in active["message"]
    assert "is done" in done["message"]


def test_the_same_name_tries_a_failed_task_again_with_what_may_change(jdoe):
    numbers()
    task = task_of(jdoe, "input", maxAttempt=1)
    fail_for_good(task)
    rounds()

    answer = submit(jdoe, "input", maxAttempt=1, nFilesPerJob=1)

    assert (answer["success"], answer["data"]) == (True, task.pk)
    assert "reactivation accepted" in answer["message"]
    rounds()
    assert len(live_jobs(task)) == 4


def test_a_task_is_killed_finished_paused_and_resumed_with_code_0(jdoe):
    task = task_of(jdoe)

    answers = [
        post(f"task/{deed}", {"task_id": task.pk}, by=jdoe)
        for deed in ("pause", "resume", "finish", "kill")
    ]

    assert [(a["success"], a["data"]) for a in answers] == [(True, 0)] * 4
    actions = AuditLine.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["task_pause", "task_resume", "task_finish", "task_kill"]
    assert ask("task/get_status", by=jdoe, task_id=task.pk)["data"] == "aborting"


def test_a_deed_that_the_state_refuses_is_code_4(jdoe):
    task = task_of(jdoe)
    run_to_end(task)

    answers = [post(f"task/{deed}", {"task_id": task.pk}, by=jdoe) for deed in ("kill", "retry")]

    assert [(a["success"], a["data"]) for a in answers] == [(False, 4)] * 2
    assert "is done" in answers[0]["message"]


def test_a_retry_is_code_0_and_with_new_parameters_code_3(jdoe):
    numbers()
    task = task_of(jdoe, "input", maxAttempt=1)
    fail_for_good(task)
    rounds()

    plain = post("task/retry", {"task_id": task.pk}, by=jdoe)
    rounds()
    fail_for_good(task)
    rounds()
    changed = {"task_id": task.pk, "new_parameters": {"nFilesPerJob": 1}}
    with_new = post("task/retry", changed, by=jdoe)
    rounds()

    assert (plain["data"], with_new["data"]) == (0, 3)
    assert len(live_jobs(task)) == 4


OF_TASKS = (
    "kill", "finish", "retry", "pause", "resume", "change_priority", "get_details",
    "get_detailed_info", "get_parent_detailed_info", "get_datasets_and_files", "get_job_ids",
    "get_job_descriptions", "get_task_parameters",
)  # fmt: skip


@pytest.mark.parametrize("name", OF_TASKS)
def test_a_strangers_task_is_answered_as_one_that_is_not_there(jdoe, name):
    task = task_of(jdoe)
    stranger = identity.client_token(create_user("mallory"), days=1)
    how = ask if name.startswith("get_") else lambda path, **v: post(path, v, by=v.pop("by"))

    theirs = how(f"task/{name}", by=stranger, task_id=task.pk, priority=1)
    nobodys = how(f"task/{name}", by=stranger, task_id=task.pk + 999, priority=1)

    assert (theirs["success"], theirs["data"]) == (False, 2)
    assert theirs["message"].replace(str(task.pk), "N") == nobodys["message"].replace(
        str(task.pk + 999), "N"
    )
    task.refresh_from_db()
    assert task.state == "running"


@pytest.mark.parametrize("path", ["task/kill", "task/submit", "job/kill"])
def test_a_pilot_sends_and_steers_no_tasks(path):
    waiting_job()

    answer = post(path, {"task_id": 10_000_001, "task_parameters": {}, "job_ids": [1]}, by=token())

    assert answer["success"] is False


def test_the_token_for_the_client_has_the_names_that_it_reads_and_opens_all_doors(capsys):
    user = create_user("jdoe")
    user.first_name = "Jane"
    user.save()
    call_command("token", "jdoe", client=True)
    made = capsys.readouterr().out.strip()

    _head, claims, opaque = made.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert said == {"name": "Jane", "preferred_username": "jdoe"}
    for form in (made, opaque):
        answer = Client().get("/rest/v1/me", HTTP_AUTHORIZATION=f"Token {form}")
        assert answer.json()["username"] == "jdoe"


@pytest.mark.parametrize("spoil", [0, 1], ids=["another-header", "no-token-behind"])
def test_claims_let_nobody_in(jdoe, spoil):
    parts = jdoe.split(".")
    forged = ".".join(["eyJhbGciOiJub25lIn0", *parts[1:]] if spoil == 0 else [*parts[:2], "x" * 64])

    answer = Client().get("/api/v1/task/get_status", HTTP_AUTHORIZATION=f"Bearer {forged}")

    assert answer.status_code == 401


def test_other_claims_before_a_token_make_nobody_else_of_its_user(jdoe):
    head, _, opaque = jdoe.split(".")
    claims = base64.urlsafe_b64encode(b'{"preferred_username":"admin"}').decode().rstrip("=")

    answer = Client().get("/rest/v1/me", HTTP_AUTHORIZATION=f"Token {head}.{claims}.{opaque}")

    assert answer.json()["username"] == "jdoe"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b"[1]", "object"),
        (b'{"task_parameters": "' + b"x" * 3_000_000 + b'"}', "2097152"),
        (b'{"task_parameters": 7}', "task_parameters must be a JSON object"),
        (b'{"task_parameters": {"jobParameters": [[]]}}', "jobParameters[0] must be an object"),
    ],
    ids=["broken", "list", "too-large", "number", "item"],
)
def test_a_body_that_cannot_be_read_is_told_with_200(jdoe, body, named):
    answer = Client().post(
        "/api/v1/task/submit", body, content_type=JSON, HTTP_AUTHORIZATION=f"Bearer {jdoe}"
    )

    assert answer.status_code == 200
    assert told(answer)["success"] is False
    assert named in told(answer)["message"]
