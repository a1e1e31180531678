"""A task that builds something first: one job, whose output all others read."""

from __future__ import annotations

from typing import Any

import pytest

from datasets.models import Dataset
from jobs.models import Job, JobFile
from jobs.tasks_engine import services
from jobs.tasks_engine.deciding import Facts, decide, waits_for
from jobs.tasks_engine.spec import spec_from
from jobs.tasks_engine.states import TaskState
from pandasite.base.errors import BadInput
from tests.builders import NOW, create_user, create_vo
from tests.tasks_engine.drive import (
    fail_for_good,
    finish_jobs,
    live_jobs,
    now_of,
    rounds,
    run_to_end,
    task_of,
)
from tests.tasks_engine.requests import evgen

pytestmark = pytest.mark.django_db
BY = {"actor": "alice", "now": NOW}
BUILD = {
    "transformation": "build.py",
    "job_parameters": "-o ${OUTPUT0}",
    "dataset": "mc09.evgen.lib",
    "scope": "user.alice",
    "lfn": "mc09.evgen.${TASKID}.lib.tgz",
}


def building(**fields: Any) -> dict[str, Any]:
    return evgen(build=BUILD, events=30, job_parameters="-l ${LIB} --seed=${N}", **fields)


def test_the_build_runs_alone_and_the_others_read_what_it_made():
    task = task_of(building())
    (build,) = live_jobs(task)
    library = f"mc09.evgen.{task.pk}.lib.tgz"
    assert (build.transformation, build.job_parameters) == ("build.py", f"-o {library}")
    assert now_of(task).pieces == 0

    finish_jobs([build])
    rounds()

    jobs = live_jobs(task)
    assert [job.job_parameters for job in jobs] == [f"-l {library} --seed={n}" for n in (1, 2, 3)]
    read = JobFile.objects.filter(job__in=jobs, type="input").values_list("lfn", flat=True)
    assert set(read) == {library}
    run_to_end(task)
    assert now_of(task).state == "done"
    assert Dataset.objects.get(name="mc09.evgen.lib").state == "frozen"


def test_scouts_wait_for_the_build():
    task = task_of(building(scouts=True, n_scouts=2))
    assert (task.state, len(live_jobs(task))) == ("scouting", 1)

    finish_jobs(live_jobs(task))
    rounds()

    assert (now_of(task).state, len(live_jobs(task))) == ("scouting", 2)


@pytest.mark.parametrize("scouts", [True, False], ids=["scouting", "running"])
def test_a_task_whose_build_fails_has_failed_and_says_why(scouts):
    task = task_of(building(scouts=scouts))

    fail_for_good(task)
    rounds()

    ended = now_of(task)
    assert (ended.state, ended.pieces) == ("failed", 0)
    assert "its build has failed" in ended.state_reason


def test_a_retry_builds_again_and_then_runs():
    task = task_of(building())
    fail_for_good(task)
    rounds()

    services.retry_failed(now_of(task), reason="mended", **BY)
    rounds()

    run_to_end(task)
    assert (now_of(task).state, now_of(task).pieces_done) == ("done", 3)


def test_a_task_told_to_finish_while_it_builds_ends_with_nothing():
    task = task_of(building())

    services.finish(task, reason="enough", **BY)
    rounds(3)

    assert now_of(task).state == "failed"
    assert not live_jobs(task)
    assert Job.objects.filter(task=task, state="cancelled").count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lfn": "lib.tgz"}, "build.lfn"),
        ({"lfn": "lib.${TASKID}.${SN}.tgz"}, "build.lfn"),
        ({"job_parameters": "${LIB}"}, "build.job_parameters"),
        ({"dataset": "mc09.evgen.EVNT"}, "build.dataset"),
    ],
    ids=["no-task", "serial", "its-own-library", "an-output"],
)
def test_a_build_that_cannot_be_is_refused_with_its_field(change, field):
    create_vo()
    request = evgen(build=BUILD | change)

    with pytest.raises(BadInput) as refused:
        spec_from(request, owner=create_user().username)

    assert [fault["field"] for fault in refused.value.fields] == [field]


def test_without_a_build_there_is_no_library_to_name():
    create_vo()

    with pytest.raises(BadInput, match=r"\$\{LIB\}"):
        spec_from(evgen(job_parameters="${LIB}"), owner=create_user().username)


def test_a_build_that_is_done_after_all_lets_the_work_go_on():
    facts = Facts(state=TaskState.FINISHING, build="done", events=10)

    assert decide(facts).to == TaskState.RUNNING


def test_who_asks_is_told_of_the_build():
    facts = Facts(state=TaskState.RUNNING, build="submitted", events=10)

    assert "waits for its build" in waits_for(facts)
