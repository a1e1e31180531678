"""/rest/v1/tasks: register, list, look at and steer tasks."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group, Permission

from jobs.models import Task
from jobs.tasks_engine import engine, services
from pandasite.base.models import AuditLine
from tests.api.calls import TASKS, person, problem
from tests.builders import NOW, create_user, create_vo
from tests.tasks_engine.drive import finish_jobs, live_jobs
from tests.tasks_engine.requests import evgen, simul

pytestmark = pytest.mark.django_db
PATH = "/rest/v1/tasks"


def post(path: str, body: dict, who=None):
    return (who or person()).post(path, json.dumps(body), content_type="application/json")


def register(*requests: dict, who=None):
    create_vo()
    return post(PATH, {"tasks": list(requests)}, who)


def the_task(**fields: object) -> Task:
    answer = register(evgen(**fields))
    return Task.objects.get(pk=answer.json()["tasks"][0]["task_id"])


def test_a_chain_is_registered_by_one_call_and_by_its_repetition_once():
    chain = (evgen(), simul("mc09.evgen.EVNT", parent="mc09.evgen"))

    first, again = register(*chain), register(*chain)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert [task["state"] for task in first.json()["tasks"]] == ["registered", "registered"]


def test_one_wrong_task_refuses_all_and_is_named():
    refused = problem(register(evgen(), evgen(name="b", vo="x")), 400, "unknown_name")

    assert refused["fields"][0]["field"] == "tasks[1].vo"
    assert not Task.objects.exists()


def test_a_name_that_stands_for_another_request_refuses_all():
    register(evgen())

    problem(register(evgen(name="new"), evgen(events=50)), 409, "name_taken")

    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        pytest.param(
            {"prod_source_label": "managed"}, "label_not_allowed", "prod_source_label", id="label"
        ),
        pytest.param({"priority": 5000}, "priority_cap", "priority", id="priority"),
        pytest.param({"working_group": "higgs"}, "group_not_allowed", "working_group", id="group"),
    ],
)
def test_what_needs_a_production_role_is_refused_without_it(change, code, field):
    refused = problem(register(evgen(**change)), 403, code)

    assert refused["fields"][0]["field"] == f"tasks[0].{field}"
    assert register(evgen(**change), who=person(production=True)).status_code == 201


def test_a_task_tells_its_progress_and_what_it_waits_for():
    task = the_task()
    engine.run(NOW)
    finish_jobs(live_jobs(task)[:4])
    engine.run(NOW)

    told = person("bob").get(f"{PATH}/{task.pk}").json()

    assert told["state"] == "running"
    assert told["waits_for"] == "waits for 6 of 10 pieces of work"
    assert told["progress"]["events_done"] == 40
    assert told["counts"] == [
        {"stage": "work", "state": "done", "pieces": 4},
        {"stage": "work", "state": "submitted", "pieces": 6},
    ]
    assert [event["to_state"] for event in told["history"]] == [
        "registered", "defined", "ready", "running",
    ]  # fmt: skip
    assert told["datasets"][0]["name"] == "mc09.evgen.EVNT"
    assert told["progress"]["eta_seconds"] > 0


def test_lists_are_filtered_and_continued():
    for name in ("mc09.a", "mc09.b", "data09.c"):
        the_task(name=name)
    me = person()

    def names(query: str) -> list[str]:
        return [task["name"] for task in me.get(f"{PATH}?{query}").json()["tasks"]]

    first = me.get(f"{PATH}?limit=2").json()
    assert [task["name"] for task in first["tasks"]] == ["data09.c", "mc09.b"]
    assert names(f"before={first['before']}") == ["mc09.a"]
    assert names("name=mc09.") == ["mc09.b", "mc09.a"]
    assert names("state=running") == names("owner=bob") == names("campaign=x") == []
    problem(me.get(f"{PATH}?state=asleep"), 400, "unknown_state")


def test_an_owner_steers_the_task_and_each_deed_leaves_an_audit_line():
    task = the_task()
    engine.run(NOW)

    for deed, more, state in (
        ("priority", {"priority": 500}, "running"),
        ("pause", {}, "paused"),
        ("resume", {}, "running"),
        ("finish", {}, "finishing"),
        ("kill", {}, "aborting"),
    ):
        answer = post(f"{PATH}/{task.pk}/{deed}", {"reason": "because", **more})
        assert answer.status_code == 200, answer.content
        assert answer.json()["state"] == state
    assert list(AuditLine.objects.order_by("pk").values_list("action", "reason")) == [
        (f"task_{deed}", "because") for deed in ("priority", "pause", "resume", "finish", "kill")
    ]
    refused = problem(post(f"{PATH}/{task.pk}/pause", {"reason": "x"}), 409, "illegal_transition")
    assert refused["legal"] == ["aborted"]


def test_a_retry_may_change_parameters_and_nothing_else():
    task = the_task(max_attempts=1, events=10)
    engine.run(NOW)
    from tests.tasks_engine.drive import fail_for_good

    fail_for_good(task)
    engine.run(NOW)
    path = f"{PATH}/{task.pk}/retry"

    problem(post(path, {"reason": "x", "changes": {"events": 5}}), 400, "unknown_field")
    problem(post(path, {"reason": "x", "changes": {"site": "NOWHERE"}}), 400, "unknown_name")
    answer = post(path, {"reason": "more memory", "changes": {"memory_mb": 8000}})

    assert answer.json()["state"] == "running"
    assert answer.json()["spec"]["memory_mb"] == 8000
    engine.run(NOW)
    assert [job.min_ram_count for job in live_jobs(task)] == [8000]


def test_a_task_of_others_is_steered_with_the_right_to_all_only():
    create_user("alice").groups.add(Group.objects.create(name="higgs"))
    task = the_task(working_group="higgs")
    path, body = f"{PATH}/{task.pk}/kill", {"reason": "no"}
    colleague, operator = create_user("bob"), create_user("carol")
    colleague.groups.add(Group.objects.get(name="higgs"))

    problem(post(path, body, person("dave")), 404, "not_found")
    problem(post(path, body, person("bob")), 403, "not_owner")
    operator.user_permissions.add(Permission.objects.get(codename="manage_any_task"))
    assert post(path, body, person("carol")).json()["state"] == "aborting"


def test_a_task_that_only_groups_jobs_is_listed_as_such():
    grouping = Task.objects.create(name="mine", owner=create_user(), created_at=NOW)
    me = person()

    told = me.get(f"{PATH}/{grouping.pk}").json()

    assert (told["state"], told["waits_for"], told["history"]) == (None, "", [])
    problem(post(f"{PATH}/{grouping.pk}/kill", {"reason": "x"}), 409, "illegal_transition")


def test_more_than_a_hundred_tasks_are_too_many():
    many = [{**TASKS["tasks"][0], "name": f"t{i}"} for i in range(101)]

    problem(register(*many), 413, "too_many")


def test_a_priority_above_the_limit_of_users_needs_a_production_role():
    task = the_task()
    services.note(task, actor="x", reason="y", now=NOW)
    body = {"reason": "x", "priority": 5000}

    problem(post(f"{PATH}/{task.pk}/priority", body), 403, "priority_cap")
