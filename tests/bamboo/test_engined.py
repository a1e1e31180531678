"""A request with parameters is a task of the engine: its jobs, its states and its end."""

from __future__ import annotations

import pytest

from jobs.models import Job, Task
from jobs.proddb.models import TaskRequest
from jobs.tasks_engine import engine
from pandasite.base.clock import database_now
from tests.bamboo.production import a_cloud, ask, request, turn
from tests.builders import create_transformation

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


PARAMETERS = {
    "transformation": "evgen.py",
    "events": 100,
    "events_per_job": 50,
    "outputs": [{"dataset": "mc09.made", "scope": "mc09", "lfn": "EVNT.${SN}.root"}],
    "scouts": False,
}


def test_a_request_with_parameters_becomes_a_task_of_the_engine():
    a_cloud()
    create_transformation("evgen.py")
    number = ask(parameters=PARAMETERS, processing_type="evgen")

    turn()

    task = Task.objects.get()
    assert (task.state, task.events, task.request_id) == ("registered", 100, number)
    assert (request(number).state, request(number).task_id) == ("ASSIGNING", task.pk)


def test_parameters_that_make_no_sense_are_answered():
    a_cloud()
    number = ask(parameters={**PARAMETERS, "events": -1})

    turn()

    assert request(number).state == "REFUSED"
    assert "events" in request(number).reason


def test_a_task_of_the_engine_gets_a_cloud_and_jobs_and_its_states_arrive():
    a_cloud()
    create_transformation("evgen.py")
    number = ask(parameters=PARAMETERS)

    turn()
    waiting = request(number).state
    carry()
    turn()
    placed = (request(number).state, request(number).given_cloud)
    carry()
    turn()

    task = Task.objects.get()
    jobs = Job.objects.filter(task=task)
    assert waiting == "ASSIGNING"
    assert placed == ("SUBMITTED", "US")
    assert {job.cloud.name for job in jobs} == {"US"}
    assert (request(number).state, request(number).jobs_total) == ("RUNNING", len(jobs))


def test_a_task_of_the_engine_is_aborted_when_its_jobs_have_ended():
    a_cloud()
    create_transformation("evgen.py")
    number = ask(parameters=PARAMETERS)
    turn()
    carry()
    turn()
    carry()
    TaskRequest.objects.filter(pk=number).update(state="TOBEABORTED")

    turn()
    carry()
    turn()

    assert {job.state for job in Job.objects.all()} == {"cancelled"}
    assert request(number).state == "ABORTED"


def carry() -> None:
    """The engine's rounds, until it has nothing to do."""
    for _round in range(5):
        engine.run(database_now())
