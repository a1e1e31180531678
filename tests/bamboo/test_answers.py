"""What prodDB is told when something changes behind its back, or production writes twice."""

from __future__ import annotations

import pytest

from brokerage.models import Cloud
from datasets.models import StorageElement
from jobs import errors
from jobs import services as job_services
from jobs.bamboo import take
from jobs.models import BambooJob, CloudDecision, Job, Task
from jobs.proddb import door
from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.states import JobState
from jobs.tasks_engine import engine, services
from pandasite.base.clock import database_now
from tests.bamboo.production import (
    a_cloud,
    ask,
    bring,
    define,
    definition,
    definitions,
    outbox,
    request,
    turn,
)
from tests.builders import (
    NOW,
    create_dataset,
    create_file,
    create_transformation,
    local_storage,
    put_away,
)

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


def test_another_reason_to_wait_is_told_in_prod_db_and_kept_beside_the_first():
    fr = a_cloud("FR", status="offline")
    dataset = create_dataset("mc09.input")
    create_file(dataset=dataset)
    number = ask(1, input_dataset="mc09.input", processing_type="simul")
    turn()

    Cloud.objects.filter(pk=fr.pk).update(status="online")
    turn()

    assert "on the way to FR_T1" in request(number).reason
    assert CloudDecision.objects.count() == 2


def test_a_task_that_waits_for_the_same_reasons_has_one_decision_with_the_latest_numbers():
    us = a_cloud("US")
    storage = local_storage(us.tier1)
    StorageElement.objects.filter(pk=storage.pk).update(free_bytes=500 * 10**9)
    ask(1)
    turn()
    StorageElement.objects.filter(pk=storage.pk).update(free_bytes=400 * 10**9)

    turn()

    decision = CloudDecision.objects.get()
    assert (decision.cloud, decision.times) == (None, 2)
    assert "has 400 GB free" in decision.verdicts[0]["reason"]


# -- taking ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def transformation() -> None:
    create_transformation("evgen.py")


PARAMETERS = {
    "transformation": "evgen.py",
    "events": 100,
    "events_per_job": 50,
    "outputs": [{"dataset": "mc09.${TASKID}", "scope": "mc09", "lfn": "EVNT.${SN}.root"}],
    "scouts": False,
}


def made(name: str, **fields: object) -> int:
    """A request for the tasks engine."""
    outputs = [{**PARAMETERS["outputs"][0], "dataset": f"{name}.made"}]  # type: ignore[dict-item]
    return ask(name=name, parameters={**PARAMETERS, "outputs": outputs}, **fields)


def test_a_round_that_has_taken_its_part_says_that_there_is_more(monkeypatch):
    monkeypatch.setattr(take, "PAGE", 1)
    ask()
    second = ask()

    report = turn(tasks=1)

    assert report.round is not None
    assert (report.more, report.round.taken, request(second).state) == (True, 1, "TOBEDONE")


def test_a_child_that_comes_before_its_parent_waits_for_it(monkeypatch):
    monkeypatch.setattr(take, "PAGE", 1)
    child = made("mc09.child")
    parent = made("mc09.parent")
    TaskRequest.objects.filter(pk=child).update(parent_id=parent)

    first = turn()
    turn()

    assert first.more
    assert Task.objects.get(request_id=child).parent == Task.objects.get(request_id=parent)


def test_a_parent_whose_jobs_are_defined_one_by_one_is_known_to_a_child_that_comes_along():
    parent = ask(1)
    child = made("mc09.child", parent_id=parent)

    turn()

    assert Task.objects.get(request_id=child).parent_id == request(parent).task_id


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("name", "n" * 256, "name: may have 255 characters at most"),
        ("working_group", "g" * 65, "working_group: may have 64 characters at most"),
        ("cloud", None, "cloud: is NULL"),
    ],
    ids=["name", "working_group", "null"],
)
def test_a_view_that_says_what_no_table_holds_is_answered_and_others_go_on(
    monkeypatch, column, value, reason
):
    a_cloud()
    bad, good = ask(1), ask(1)
    asked = door.new_tasks

    def seen_through_a_view(*, after, limit):
        found = asked(after=after, limit=limit)
        for one in found:
            if one.request_id == bad:
                object.__setattr__(one, column, value)
        return found

    monkeypatch.setattr(door, "new_tasks", seen_through_a_view)
    turn()

    assert (request(bad).state, request(bad).reason) == ("REFUSED", reason)
    assert request(good).state == "SUBMITTED"


def test_a_definition_of_a_task_with_parameters_is_answered():
    number = made("mc09.engine")
    extra = define(number)
    turn()

    turn()

    assert definition(extra).state == "REFUSED"
    assert definition(extra).reason == (
        f"request_id: task request {number} has parameters: its jobs are made of these"
    )


# -- asked again ----------------------------------------------------------------------------------


def done() -> int:
    """A request whose one job is done."""
    a_cloud()
    number = ask(1)
    turn()
    bring(Job.objects.get(), to="finished")
    turn()
    assert request(number).state == "DONE"
    return number


def test_a_task_that_is_wished_for_again_is_answered_with_what_it_is():
    number = done()
    TaskRequest.objects.update(state="TOBEDONE")

    turn()

    assert request(number).state == "DONE"
    assert outbox("task", number).count("DONE") == 1


def test_a_task_of_the_engine_that_ended_before_it_could_be_aborted_says_so():
    number = made("mc09.engine")
    turn()
    services.kill(Task.objects.get(), reason="over REST", actor="carol", now=NOW)
    engine.run(database_now())
    turn()
    before = request(number).state
    TaskRequest.objects.update(state="TOBEABORTED")

    turn()

    assert (before, request(number).state) == ("ABORTED", "ABORTED")


def test_a_task_that_was_aborted_and_is_to_be_aborted_again_is_aborted():
    number = ask(1)
    turn()
    for _time in range(2):
        TaskRequest.objects.update(state="TOBEABORTED")
        turn()

    assert request(number).state == "ABORTED"


def test_the_reason_of_a_task_goes_when_its_definitions_are_mended():
    a_cloud()
    number = ask(1, details={"core_count": 0})
    turn()
    failed = request(number)
    JobDefinition.objects.update(state="TOBEDONE", details={})

    turn()

    assert failed.reason == "none of its job definitions could be submitted"
    assert (request(number).state, request(number).reason) == ("SUBMITTED", "")


# -- jobs that are not among the live ones ---------------------------------------------------------


def test_a_definition_follows_an_archived_job_to_its_archived_successor():
    a_cloud()
    number = ask(1, details={"max_attempt": 2})
    turn()
    job = Job.objects.get()
    bring(job, to="running")
    job_services.fail(Job.objects.filter(pk=job.pk), errors.LOST_HEARTBEAT, actor="tests", now=NOW)
    retried = Job.objects.get(retry_of=job.pk)
    again = Job.objects.filter(pk=retried.pk)
    job_services.move(again, JobState.DEFINED, actor="tests", now=NOW)  # it was waiting
    bring(retried, to="finished")
    put_away()

    turn()
    turn()

    (there,) = definitions(number)
    assert (there.panda_id, there.state) == (retried.pk, "DONE")


def test_a_definition_whose_job_nobody_has_any_more_has_failed():
    a_cloud()
    number = ask(1)
    turn()
    BambooJob.objects.update(panda_id=4711, seq=0, settled=False)

    turn()

    (there,) = definitions(number)
    assert (there.state, there.reason) == ("FAILED", "its job is not kept any more")
