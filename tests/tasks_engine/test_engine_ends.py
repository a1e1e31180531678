"""Tasks that are killed, told to finish, paused or held up."""

from __future__ import annotations

import pytest

from datasets.models import Dataset
from jobs.tasks_engine import services
from tests.builders import (
    NOW,
    create_job,
)
from tests.tasks_engine.drive import (
    finish_jobs,
    live_jobs,
    now_of,
    rounds,
    task_of,
)
from tests.tasks_engine.requests import evgen, registered

pytestmark = pytest.mark.django_db
BY = {"actor": "alice", "now": NOW}


def test_a_killed_task_is_aborted_when_its_last_job_has_really_ended():
    task = task_of(evgen())
    running = create_job("running", task=task)

    services.kill(task, reason="wrong seed", **BY)
    rounds()

    assert now_of(task).state == "aborting"
    assert [job.pk for job in live_jobs(task)] == [running.pk]
    running.refresh_from_db()
    assert running.command == "tobekilled"
    assert "wrong seed" in running.command_reason
    finish_jobs([running])
    rounds(1)
    assert now_of(task).state == "aborted"


INTO_THE_SAME = [{"dataset": "mc09.evgen.EVNT", "scope": "mc09", "lfn": "more._${SN}.root"}]


def test_what_a_killed_task_made_is_aborted_when_its_last_job_has_ended_and_keeps_its_files():
    task = task_of(evgen())
    finish_jobs(live_jobs(task)[:1])
    running = create_job("running", task=task)

    services.kill(task, reason="wrong seed", **BY)
    rounds()
    meanwhile = Dataset.objects.get(name="mc09.evgen.EVNT")
    finish_jobs([running])
    rounds(1)

    made = Dataset.objects.get(pk=meanwhile.pk)
    assert meanwhile.aborted_at is None
    assert (made.aborted_at, made.members.count()) == (NOW, 1)
    assert made.aborted_reason == f"task {task.pk} was killed by {BY['actor']}: wrong seed"


@pytest.mark.parametrize("other", ["done", "running", "aborted"])
def test_a_dataset_of_two_tasks_is_aborted_with_the_last_of_them_only(other):
    task = task_of(evgen())
    sister = task_of(evgen(name="mc09.more", outputs=INTO_THE_SAME))
    if other == "done":
        finish_jobs(live_jobs(sister))
    elif other == "aborted":
        services.kill(sister, reason="not needed", **BY)
    rounds()

    services.kill(task, reason="wrong seed", **BY)
    rounds()

    assert [now_of(task).state, now_of(sister).state] == ["aborted", other]
    made = Dataset.objects.get(name="mc09.evgen.EVNT")
    assert bool(made.aborted_at) == (other == "aborted")


def test_a_task_told_to_finish_keeps_what_it_has_and_leaves_the_rest_out():
    task = task_of(evgen())
    finish_jobs(live_jobs(task)[:3])
    rounds(1)

    services.finish(task, reason="enough", **BY)
    rounds()

    ended = now_of(task)
    assert (ended.state, ended.pieces_done, ended.pieces_failed) == ("finished", 3, 7)
    assert not live_jobs(task)
    assert Dataset.objects.get(name="mc09.evgen.EVNT").state == "open"


def test_a_paused_task_makes_no_jobs():
    task = registered(evgen())
    services.pause(task, reason="wait", **BY)
    rounds()
    assert not live_jobs(task)

    services.resume(task, reason="go", **BY)
    rounds()

    assert len(live_jobs(task)) == 10
