"""What the page of a task says of its jobs is of live and ended ones, and of the latest."""

from __future__ import annotations

import pytest

from jobs import oftask
from jobs.models import JobFile, Task
from tests.builders import NOW, after, create_dataset, create_job, create_user, put_away

pytestmark = pytest.mark.django_db


@pytest.fixture
def task() -> Task:
    """Two ended jobs in weeks of their own, and two live ones; the files of each in a dataset."""
    task = Task.objects.create(name="evgen", owner=create_user(), created_at=NOW)
    for weeks, codes in ((3, {"pilot_error_code": 1099}), (1, {"exe_error_code": 5})):
        old = create_job("failed", task=task, at=after(days=-7 * weeks), outputs=["o"], **codes)
        JobFile.objects.filter(job=old).update(dataset=create_dataset(f"old{weeks}"))
    put_away()
    both = {"pilot_error_code": 1099, "ddm_error_code": 200}
    new = create_job("failed", task=task, outputs=["o", "p"], **both)
    JobFile.objects.filter(job=new).update(dataset=create_dataset("new"))
    create_job("running", task=task, outputs=["o"])
    create_job("failed", outputs=["o"], sup_error_code=1)  # of none
    return task


def test_the_jobs_of_both_sides_are_counted(task: Task) -> None:
    assert oftask.states(task.pk) == {"failed": 3, "running": 1}
    assert oftask.states(task.pk + 1) == {}


def test_each_error_of_a_job_counts_and_so_many_of_the_latest_jobs(task: Task) -> None:
    every = {("pilot", 1099): 2, ("ddm", 200): 1, ("exe", 5): 1}
    assert oftask.errors(task.pk, most=9) == every
    assert oftask.errors(task.pk, most=2) == every | {("pilot", 1099): 1}
    assert oftask.errors(task.pk, most=1) == {("pilot", 1099): 1, ("ddm", 200): 1}


def test_the_datasets_are_those_of_so_many_of_the_latest_jobs(task: Task) -> None:
    def found(most: int, shown: int = 9) -> list[tuple[str, int]]:
        rows = oftask.datasets(task.pk, most=most, shown=shown)
        return [(row["name"], row["files"]) for row in rows]

    assert found(9) == [("new", 2), ("old1", 1), ("old3", 1)]
    assert found(9, shown=2) == [("new", 2), ("old1", 1)]
    assert found(3) == [("new", 2), ("old1", 1)]
    assert found(2) == [("new", 2)]
    assert found(1) == []  # which runs
    (line,) = oftask.datasets(task.pk, most=2, shown=9)
    assert (line["type"], line["state"]) == ("output", "open")
