"""A task or a definition of prodDB is aborted: what its jobs, and what they made, come to."""

from __future__ import annotations

import pytest

from datasets.models import Dataset
from jobs import services
from jobs.models import Job
from jobs.proddb.models import JobDefinition, TaskRequest
from tests.bamboo.production import (
    a_cloud,
    ask,
    bring,
    define,
    definition,
    definitions,
    finish,
    jobs_of,
    request,
    turn,
)
from tests.builders import NOW

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


# -- from a request to its end ------------------------------------------------------------------


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
