"""Lists of input: kept as long as something may be tried again, then dropped."""

from __future__ import annotations

import pytest
from django.db.models import ProtectedError

from datasets.models import File
from jobs import closing
from jobs.models import JobFile, Task, TaskInput
from jobs.tasks_engine import recount, services
from pandasite.base.errors import Conflict
from tests.builders import NOW, after, create_dataset, create_file
from tests.tasks_engine.drive import fail_for_good, finish_jobs, live_jobs, now_of, rounds, task_of
from tests.tasks_engine.requests import evgen, simul

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended() -> Task:
    """A task of two pieces with two files each, of which one failed, at NOW."""
    dataset = create_dataset("mc09.in")
    for number in range(4):
        create_file(f"f{number}", dataset=dataset)
    task = task_of(simul("mc09.in", max_attempts=1))
    finish_jobs(live_jobs(task)[:1])
    fail_for_good(task)
    rounds(3)
    assert now_of(task).state == "finished"
    return task


def test_files_of_a_task_may_be_deleted_when_its_list_is_dropped(ended: Task):
    JobFile.objects.all().delete()  # as if its jobs were in the archive
    with pytest.raises(ProtectedError):
        File.objects.filter(lfn="f0").delete()

    closing.housekeep(after(days=90, seconds=1))

    assert not TaskInput.objects.exists()
    File.objects.filter(lfn="f0").delete()
    assert recount.differences() == []
    assert now_of(ended).inputs_done == 2


def test_a_list_is_kept_for_as_long_as_the_setting_says(ended: Task):
    closing.housekeep(after(days=90))

    assert TaskInput.objects.count() == 4


def test_a_task_at_work_keeps_its_list(ended: Task):
    services.retry_failed(ended, reason="again", actor="alice", now=NOW)

    closing.housekeep(after(days=999))

    assert TaskInput.objects.count() == 4


def test_nothing_is_tried_again_of_a_task_without_its_list(ended: Task):
    closing.housekeep(after(days=91))

    with pytest.raises(Conflict, match="not kept any more"):
        services.retry_failed(ended, reason="again", actor="alice", now=after(days=91))
    assert now_of(ended).state == "finished"


def test_a_task_without_input_is_tried_again_however_long_ago_it_ended():
    task = task_of(evgen(max_attempts=1))
    fail_for_good(task)
    rounds(3)

    closing.housekeep(after(days=999))

    assert services.retry_failed(task, reason="again", actor="alice", now=after(days=999)) == 10
