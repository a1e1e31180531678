"""Which files a task reads, and files that are cut inside."""

from __future__ import annotations

import pytest

from jobs.models import TaskInput, TaskPiece
from jobs.tasks_engine import recount, services
from jobs.tasks_engine.spec import spec_from
from pandasite.base.errors import BadInput
from tests.builders import NOW, create_dataset, create_file, create_storage, create_user, create_vo
from tests.tasks_engine.drive import (
    fail_for_good,
    live_jobs,
    now_of,
    rounds,
    run_to_end,
    task_of,
)
from tests.tasks_engine.requests import evgen, simul

pytestmark = pytest.mark.django_db
BY = {"actor": "alice", "now": NOW}
EVENTS = "${INLIST} ${SKIPEVENTS} ${MAXEVENTS} ${SKIPEVENTS+7}"


def filled(*names: str, events: int | None = 50, state: str = "frozen") -> None:
    dataset = create_dataset("data.RAW", state=state)
    se = create_storage()
    for name in names:
        create_file(name, at=[se], dataset=dataset, events=events)


def read(task) -> list[str]:
    rows = TaskInput.objects.filter(task=task, stage="work").order_by("pk")
    return list(rows.values_list("file__lfn", flat=True))


@pytest.mark.parametrize(
    ("select", "files"),
    [
        ({"exclude": [r"\.log\.tgz(\.\d+)*$"]}, ["a.root", "b.root", "c.root"]),
        ({"include": ["^b", "log"]}, ["b.root", "d.log.tgz.1"]),
        ({"lfns": ["c.root", "nowhere"]}, ["c.root"]),
        ({"skip": 1, "files": 2}, ["b.root", "c.root"]),
        ({"exclude": ["^b"], "skip": 1, "files": 1}, ["c.root"]),
    ],
    ids=["exclude", "include", "names", "skip-and-cap", "all-of-it"],
)
def test_a_task_reads_the_files_that_it_chooses(select, files):
    filled("a.root", "b.root", "c.root", "d.log.tgz.1")

    task = task_of(simul("data.RAW", select=select))

    assert read(task) == files
    assert not task.input_open
    run_to_end(task)
    assert now_of(task).state == "done"


def test_a_task_with_a_cap_ends_though_more_files_may_come():
    filled("a.root", "b.root", state="open")
    made = {"dataset": "data.RAW", "scope": "mc09", "lfn": "x.${SN}"}
    writer = task_of(evgen(outputs=[made]))

    task = task_of(simul("data.RAW", select={"files": 2}))

    assert writer.state == "running"
    assert (read(task), task.input_open) == (["a.root", "b.root"], False)


@pytest.mark.parametrize(
    ("expression", "code"),
    [("(a", "bad_expression"), ("a{1,9}", "costly_expression"), (r"(a)\1", "costly_expression")],
)
def test_an_expression_that_cannot_be_is_refused(expression, code):
    filled("a.root")
    create_vo()

    with pytest.raises(BadInput) as refused:
        request = simul("data.RAW", select={"include": [expression]})
        spec_from(request, owner=create_user().username)

    assert refused.value.code == code
    assert refused.value.fields[0]["field"] == "select.include[0]"


def test_secondary_files_may_be_chosen_too():
    filled("a.root")
    pileup = create_dataset("minbias", state="frozen")
    for name in ("x1", "x2", "y1"):
        create_file(name, at=[create_storage()], dataset=pileup)
    besides = {"dataset": "minbias", "files_per_job": 2, "select": {"include": ["^x"]}}

    task = task_of(
        simul("data.RAW", secondary=[besides], job_parameters="${SECONDARYLIST0} ${SECONDARY0}")
    )

    assert live_jobs(task)[0].job_parameters == "['x1', 'x2'] x1,x2"


def test_a_file_with_more_events_than_a_job_may_have_is_cut_inside():
    filled("a.root", "b.root", events=250)

    task = task_of(simul("data.RAW", files_per_job=0, events_per_job=100, job_parameters=EVENTS))

    assert [job.job_parameters for job in live_jobs(task)] == [
        f"['{name}.root'] {skip} {n} {skip + 7}"
        for name in "ab"
        for skip, n in ((0, 100), (100, 100), (200, 50))
    ]
    assert (task.events, task.events_cut, task.inputs) == (500, 500, 6)
    run_to_end(task)
    assert (now_of(task).state, now_of(task).events_done) == ("done", 500)


def test_smaller_files_share_a_job_up_to_its_events():
    filled("a.root", "b.root", "c.root", events=40)

    task = task_of(simul("data.RAW", files_per_job=0, events_per_job=100, job_parameters=EVENTS))

    assert [job.job_parameters for job in live_jobs(task)] == [
        "['a.root', 'b.root'] 0 80 7",
        "['c.root'] 0 40 7",
    ]


def test_how_many_events_a_file_has_may_be_said():
    filled("a.root", events=None)

    task = task_of(
        simul(
            "data.RAW",
            files_per_job=0,
            events_per_job=10,
            events_per_file=25,
            job_parameters=EVENTS,
        )
    )

    assert len(live_jobs(task)) == 3
    assert (task.events, task.events_cut) == (25, 25)


def test_a_file_whose_events_nobody_knows_is_one_job():
    filled("a.root", "b.root", events=None)

    task = task_of(simul("data.RAW", files_per_job=0, events_per_job=10, job_parameters=EVENTS))

    assert len(live_jobs(task)) == 2
    assert live_jobs(task)[0].job_parameters == "['a.root'] 0 0 7"


def test_a_retry_with_another_number_of_files_cuts_anew_what_failed():
    filled(*(f"{name}.root" for name in "abcdef"))
    task = task_of(simul("data.RAW", max_attempts=1))
    assert len(live_jobs(task)) == 3
    fail_for_good(task)
    rounds()
    assert now_of(task).state == "failed"

    services.retry_failed(now_of(task), reason="smaller", changes={"files_per_job": 1}, **BY)
    rounds()

    assert len(live_jobs(task)) == 6
    assert TaskPiece.objects.filter(task=task).count() == 6
    assert recount.differences() == []
    run_to_end(task)
    assert (now_of(task).state, now_of(task).inputs_done) == ("done", 6)
