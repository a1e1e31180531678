"""The cycle between prodDB and our jobs: what it takes, submits, writes back and kills."""

from __future__ import annotations

import pytest

from datasets.models import Dataset, Subscription
from jobs import errors, services
from jobs.bamboo.lock import only_one
from jobs.models import BambooJob, BambooRefusal, BambooRound, CloudDecision, Job, Task
from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.tasks_engine import engine
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


def jobs_of(request_id: int) -> list[Job]:
    return list(Job.objects.filter(task__bamboo__request_id=request_id).order_by("pk"))


def finish(*jobs: Job) -> None:
    """As if pilots had done them."""
    for job in jobs:
        bring(job, to="finished")


# -- from a request to its end ------------------------------------------------------------------


def test_a_request_gets_a_cloud_and_its_jobs_in_one_cycle():
    a_cloud("US")
    number = ask(3, details={"min_ram_count": 1500}, priority=700, processing_type="evgen")

    done = turn().round

    jobs = jobs_of(number)
    assert done is not None
    assert (done.state, done.taken, done.assigned, done.submitted) == ("done", 1, 1, 3)
    assert {(j.cloud.name, j.cloud_fixed, j.current_priority) for j in jobs} == {("US", True, 700)}
    assert {(j.owner.username, j.min_ram_count, j.processing_type) for j in jobs} == {
        ("carol", 1500, "evgen")
    }
    there = definitions(number)
    assert [(d.state, d.panda_id, d.panda_state) for d in there] == [
        ("SUBMITTED", job.pk, "defined") for job in jobs
    ]
    assert [job.job_definition_id for job in jobs] == [d.pk for d in there]
    task = request(number)
    assert (task.state, task.given_cloud, task.jobs_total) == ("SUBMITTED", "US", 3)
    assert task.task_id == jobs[0].task_id


def test_states_arrive_in_prod_db_with_one_line_each_in_the_outbox():
    a_cloud()
    number = ask(2)
    turn()
    first, second = jobs_of(number)

    finish(first)
    turn()
    half = request(number)
    finish(second)
    turn()
    turn()

    assert (half.state, half.jobs_finished) == ("RUNNING", 1)
    done = request(number)
    assert (done.state, done.jobs_total, done.jobs_finished) == ("DONE", 2, 2)
    assert outbox("job", definitions(number)[0].pk) == ["SUBMITTED defined", "DONE finished"]
    assert outbox("task", number)[-1] == "DONE"
    assert outbox("task", number).count("DONE") == 1


def test_a_cycle_without_news_writes_nothing():
    a_cloud()
    ask(2)
    turn()

    done = turn().round

    assert done is not None
    assert (done.taken, done.submitted, done.written, done.refused) == (0, 0, 0, 0)
    assert (done.backlog_tasks, done.backlog_jobs) == (0, 0)


def test_a_definition_that_has_a_job_gets_no_second_one():
    """As after a cycle that was killed before it could confirm; or production asks again."""
    a_cloud()
    number = ask(2)
    turn()
    JobDefinition.objects.update(state="TOBEDONE", panda_id=None, panda_state="")

    turn()

    assert len(jobs_of(number)) == 2
    assert [d.panda_id for d in definitions(number)] == [job.pk for job in jobs_of(number)]
    assert {d.state for d in definitions(number)} == {"SUBMITTED"}


def test_a_definition_follows_the_successors_of_its_job():
    a_cloud()
    number = ask(1, details={"max_attempt": 2})
    turn()
    (job,) = jobs_of(number)
    bring(job, to="running")
    services.fail(Job.objects.filter(pk=job.pk), errors.LOST_HEARTBEAT, actor="tests", now=NOW)

    turn()

    successor = Job.objects.get(retry_of=job.pk)
    (there,) = definitions(number)
    assert (there.panda_id, there.state) == (successor.pk, "SUBMITTED")
    assert BambooJob.objects.get().settled is False


def test_a_failed_job_says_why_in_prod_db():
    a_cloud()
    number = ask(1, details={"max_attempt": 1})
    turn()
    (job,) = jobs_of(number)
    services.fail(Job.objects.filter(pk=job.pk), errors.EXPIRED, actor="tests", now=NOW)

    turn()

    (there,) = definitions(number)
    assert there.state == "FAILED"
    assert there.reason.startswith("task_buffer 102")
    assert request(number).state == "FAILED"


def test_the_end_of_an_archived_job_is_written_too():
    a_cloud()
    number = ask(1)
    turn()
    finish(*jobs_of(number))
    put_away()

    turn()

    assert definitions(number)[0].state == "DONE"
    assert request(number).state == "DONE"


def test_a_round_is_bounded_and_the_next_one_goes_on():
    a_cloud()
    number = ask(1010)

    first = turn(jobs=1000)
    rest = turn(jobs=1000)

    assert first.round is not None and rest.round is not None
    assert (first.round.submitted, first.round.state, first.more) == (1000, "more", True)
    assert (rest.round.submitted, rest.round.state) == (10, "done")
    assert Job.objects.filter(task__bamboo__request_id=number).count() == 1010


# -- two at once ----------------------------------------------------------------------------------


def test_the_second_of_two_cycles_says_that_another_one_is_at_work():
    a_cloud()
    ask(1)

    with only_one() as mine:
        report = turn()

    assert mine
    assert report.round is None
    assert report.why == "another cycle is at work: this one has done nothing"
    assert not Job.objects.exists()


def test_a_round_that_was_cut_short_is_closed_by_the_next_one():
    BambooRound.objects.create(started_at=database_now(), host="h", step="write")

    turn()

    broken = BambooRound.objects.order_by("pk")[0]
    assert broken.state == "trouble"
    assert "cut short in step write" in broken.error


# -- rows that make no sense ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"vo": "nobody"}, "vo: 'nobody' is not known; there are atlas"),
        ({"cloud": "XX"}, "cloud: XX is not known; there are US"),
        ({"owner": "a b"}, "owner: 'a b' is no name of a user"),
        ({"priority": -200_000}, "priority: must be from -100000 to 1000000, not -200000"),
        ({"input_dataset": "no.such"}, "input_dataset: there is no dataset no.such"),
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


# -- aborting -------------------------------------------------------------------------------------


def test_queued_jobs_of_an_aborted_task_are_cancelled_in_one_cycle_and_it_is_aborted():
    a_cloud()
    number = ask(3)
    turn()
    TaskRequest.objects.filter(pk=number).update(state="TOBEABORTED")

    done = turn().round

    assert done is not None and done.killed == 3
    assert {job.state for job in jobs_of(number)} == {"cancelled"}
    assert {d.state for d in definitions(number)} == {"ABORTED"}
    assert request(number).state == "ABORTED"


def test_a_running_job_is_told_to_end_and_aborted_when_it_has_ended():
    a_cloud()
    number = ask(1)
    turn()
    (job,) = jobs_of(number)
    bring(job, to="running")
    TaskRequest.objects.filter(pk=number).update(state="TOBEABORTED")

    turn()
    told, meanwhile = Job.objects.get(pk=job.pk), request(number)
    services.cancel_killed(Job.objects.filter(pk=job.pk), actor="pilot", now=NOW, why="told")
    turn()

    assert (told.state, told.command) == ("running", "tobekilled")
    assert meanwhile.state == "TOBEABORTED"
    assert definitions(number)[0].state == "ABORTED"
    assert request(number).state == "ABORTED"


def test_what_an_aborted_task_made_is_aborted_unless_others_write_into_it_too():
    a_cloud()
    files = [{"scope": "mc09", "dataset": name} for name in ("mine.EVNT", "all.LOG")]
    mine, other = (
        ask(details={}, name=name, processing_type="evgen") for name in ("mc09.mine", "mc09.other")
    )
    for number, outputs in ((mine, files), (other, files[1:])):
        named = [f | {"lfn": f"{number}.{f['dataset']}.root"} for f in outputs]
        define(number, details={"output_files": named})
    turn()
    TaskRequest.objects.filter(pk=mine).update(state="TOBEABORTED")

    turn()

    assert request(mine).state == "ABORTED"
    aborted = Dataset.objects.exclude(aborted_at=None)
    assert [(d.name, d.aborted_reason) for d in aborted] == [
        (
            "mine.EVNT",
            f"task {request(mine).task_id} was aborted in the production database",
        )
    ]


def test_one_definition_is_aborted_and_the_others_go_on():
    a_cloud()
    number = ask(2)
    turn()
    one, other = definitions(number)
    JobDefinition.objects.filter(pk=one.pk).update(state="TOBEABORTED")

    turn()

    assert (definition(one.pk).state, definition(other.pk).state) == ("ABORTED", "SUBMITTED")
    assert [job.state for job in jobs_of(number)] == ["cancelled", "defined"]


def test_what_was_never_submitted_is_aborted_without_a_job():
    number = ask(2)  # there is no cloud
    turn()
    TaskRequest.objects.filter(pk=number).update(state="TOBEABORTED")

    turn()

    assert {d.state for d in definitions(number)} == {"ABORTED"}
    assert request(number).state == "ABORTED"
    assert not Job.objects.exists()


def test_a_job_that_finished_before_it_could_be_aborted_is_done():
    a_cloud()
    number = ask(1)
    turn()
    finish(*jobs_of(number))
    JobDefinition.objects.update(state="TOBEABORTED")

    turn()

    assert definitions(number)[0].state == "DONE"


# -- clouds ---------------------------------------------------------------------------------------


def test_every_cloud_says_why_it_was_accepted_or_not():
    a_cloud("US")
    a_cloud("FR", status="offline", status_reason="network")
    number = ask(1)

    turn()

    decision = CloudDecision.objects.get()
    said = {verdict["cloud"]: verdict["reason"] for verdict in decision.verdicts}
    assert said["FR"] == "the cloud is offline (network)"
    assert said["US"].startswith("can take it")
    assert (decision.cloud.name, decision.task.bamboo.request_id) == ("US", number)


def test_a_task_without_a_cloud_waits_and_the_decision_is_kept_once():
    a_cloud("FR", status="offline")
    number = ask(1)

    turn()
    turn()

    decision = CloudDecision.objects.get()
    assert (decision.cloud, decision.times) == (None, 2)
    assert request(number).state == "ASSIGNING"
    assert request(number).reason == "no cloud may take it: each says why"


def test_a_task_goes_to_the_cloud_whose_tier_1_holds_its_input():
    a_cloud("US")
    fr = a_cloud("FR")
    dataset = create_dataset("mc09.input")
    create_file(at=[local_storage(fr.tier1)], dataset=dataset)
    number = ask(1, input_dataset="mc09.input")

    turn()

    assert request(number).given_cloud == "FR"


def test_the_input_of_a_simulation_is_brought_to_a_tier_1_that_has_little_to_do():
    a_cloud("US")
    dataset = create_dataset("mc09.input")
    create_file(dataset=dataset)
    number = ask(1, input_dataset="mc09.input", processing_type="simul")

    turn()
    turn()

    assert Subscription.objects.get().dataset == dataset
    assert "on the way to US_T1" in request(number).reason


# -- the engine -----------------------------------------------------------------------------------

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
