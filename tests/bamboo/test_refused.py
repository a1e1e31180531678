"""Requests and definitions that make no sense are answered with their reasons."""

from __future__ import annotations

import pytest

from jobs.models import BambooRefusal, Task
from jobs.proddb.models import TaskRequest
from tests.bamboo.production import a_cloud, ask, define, definition, outbox, request, turn
from tests.builders import NOW, create_transformation

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


# -- from a request to its end ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"vo": "nobody"}, "vo: 'nobody' is not known; there are atlas"),
        ({"cloud": "XX"}, "cloud: XX is not known; there are US"),
        ({"owner": "a b"}, "owner: 'a b' is no name of a user"),
        ({"priority": -200_000}, "priority: must be from -100000 to 1000000, not -200000"),
        ({"input_dataset": "no.such"}, "input_dataset: there is no dataset no.such"),
        ({"campaign": "c" * 65}, "campaign: may have 64 characters at most"),
        ({"parent_id": 4711}, "parent_id: there is no request 4711"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_request_that_makes_no_sense_is_answered_with_its_reason(fields, reason):
    a_cloud("US")
    bad, good = ask(1, **fields), ask(1)

    turn()

    assert (request(bad).state, request(bad).reason) == ("REFUSED", reason)
    assert request(good).state == "SUBMITTED"
    assert outbox("task", bad) == ["REFUSED"]
    assert BambooRefusal.objects.filter(kind="task", subject_id=bad).get().reason == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"transformation": "wrong.py"}, "transformation wrong.py is not known"),
        ({"events": -5}, "events: must be from 0 to 1000000000000, not -5"),
        ({"details": {"core_count": 0}}, "core_count"),
        ({"details": {"no_such": 1}}, "no_such"),
        ({"details": []}, "details: must be an object, not list"),
        ({"details": {"vo": "cms"}}, "details: vo is said by a column, or by the task"),
        (
            {"details": {"input_files": [{"lfn": "a", "scope": "mc09", "dataset": "no.such"}]}},
            "input_files: there is no dataset no.such",
        ),
    ],
    ids=["transformation", "events", "range", "unknown", "kind", "twice", "dataset"],
)
def test_a_definition_that_makes_no_sense_is_answered_and_the_others_go_on(fields, reason):
    a_cloud()
    create_transformation("evgen.py")
    number = ask(1)
    bad = define(number, **fields)

    done = turn().round

    assert done is not None
    assert (done.submitted, done.refused, done.state) == (1, 1, "done")
    assert definition(bad).state == "REFUSED"
    assert reason in definition(bad).reason
    assert "jobs[" not in definition(bad).reason


def test_parents_in_a_circle_are_refused_with_the_circle():
    a_cloud()
    one = ask(1)
    two = ask(1, parent_id=one)
    TaskRequest.objects.filter(pk=one).update(parent_id=two)

    turn()

    assert request(one).reason == f"parent_id: the parents go in a circle: {one} > {two} > {one}"
    assert request(two).state == "REFUSED"
    assert not Task.objects.exists()


def test_the_child_of_a_refused_request_is_refused():
    a_cloud()
    bad = ask(vo="nobody")
    child = ask(parent_id=bad)

    turn()

    assert request(child).reason == f"parent_id: request {bad} is refused"


def test_an_output_that_another_job_makes_is_refused_and_the_rest_of_the_page_goes_on():
    a_cloud()
    file = {"lfn": "EVNT.1", "scope": "mc09", "dataset": "mc09.EVNT"}
    number = ask(1, details={"output_files": [file]})
    turn()
    again = define(number, details={"output_files": [file]})
    other = define(number, details={"output_files": [{**file, "lfn": "EVNT.2"}]})

    turn()

    assert definition(again).state == "REFUSED"
    assert "EVNT.1 is made by job" in definition(again).reason
    assert definition(other).state == "SUBMITTED"


def test_a_definition_of_no_task_is_refused():
    a_cloud()
    stray = define(4711)

    turn()

    assert definition(stray).reason == "request_id: task request 4711 is not there"


def test_two_tasks_of_one_name_are_one_task_and_a_refusal():
    a_cloud()
    ask(1, name="mc09.same")
    row = TaskRequest.objects.create(name="mc09.same", owner="carol", vo="atlas", created_at=NOW)

    turn()

    assert request(row.pk).reason == "name: carol has a task mc09.same already"
