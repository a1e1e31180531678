"""The cycle between prodDB and our jobs: what it takes, submits, writes back and kills."""

from __future__ import annotations

import pytest

from datasets.models import Subscription
from jobs import errors, services
from jobs.bamboo.lock import only_one
from jobs.models import BambooJob, BambooRound, CloudDecision, Job
from jobs.proddb.models import JobDefinition
from pandasite.base.clock import database_now
from tests.bamboo.production import (
    a_cloud,
    ask,
    bring,
    definitions,
    finish,
    jobs_of,
    outbox,
    request,
    turn,
)
from tests.builders import NOW, create_dataset, create_file, local_storage, put_away

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


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
    assert jobs[0].task.request_id == number


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
