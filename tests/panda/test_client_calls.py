"""The calls of PanDA's client, as it makes them: JSON, GET with text, always an answer of 200."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from jobs import identity
from jobs.models import DebugMode, Job, Task, TaskInput
from pandasite.base.models import AuditLine
from tests.builders import (
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_user,
    create_vo,
)
from tests.panda.calls import JSON, get_job, token, told, update, waiting_job
from tests.panda.prun import sample
from tests.tasks_engine.drive import fail_for_good, finish_jobs, live_jobs, rounds, run_to_end

pytestmark = pytest.mark.django_db


@pytest.fixture
def jdoe() -> str:
    """The token of the client of whom the samples are."""
    return identity.client_token(create_user("jdoe"), days=1)


def post(path: str, values: dict[str, Any], *, by: str) -> dict[str, Any]:
    answer = Client().post(
        f"/api/v1/{path}",
        json.dumps(values),
        content_type=JSON,
        HTTP_AUTHORIZATION=f"Bearer {by}",
        HTTP_ORIGIN="chemvo",
    )
    assert answer.status_code == 200, answer.content
    return told(answer)


def ask(path: str, *, by: str, **values: Any) -> dict[str, Any]:
    answer = Client().get(
        f"/api/v1/{path}", values, HTTP_AUTHORIZATION=f"Bearer {by}", HTTP_ORIGIN="chemvo"
    )
    assert answer.status_code == 200, answer.content
    return told(answer)


def submit(by: str, name: str = "no_input", **changes: Any) -> dict[str, Any]:
    create_vo("chemvo")
    changes = {"site": None, "skipScout": True} | changes
    given = sample(name, **changes)
    return post("task/submit", {"task_parameters": given, "parent_tid": None}, by=by)


def task_of(by: str, name: str = "no_input", **changes: Any) -> Task:
    answer = submit(by, name, **changes)
    assert answer["success"], answer["message"]
    rounds()
    return Task.objects.get(pk=answer["data"])


def numbers() -> None:
    dataset = create_dataset("user.jdoe.input", state="frozen")
    for n in range(4):
        create_file(f"n{n}.txt", at=[create_storage()], dataset=dataset, events=1000)


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
