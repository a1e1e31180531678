"""A kill between any two steps: what was not committed is done again, and nothing twice.

A kill -9 of the worker ends its transaction where it is. Here an error takes its place, in front of
each statement of a round in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, connections, transaction

from jobs.models import Job, JobFile, Task, TaskInput, TaskPiece
from jobs.tasks_engine import engine, recount
from tests.builders import NOW, create_dataset, create_file, create_storage, create_user
from tests.tasks_engine.drive import fail_jobs, finish_jobs, live_jobs, now_of, rounds
from tests.tasks_engine.requests import evgen, registered, simul


class Killed(BaseException):
    """As sudden as a signal: no handler of the code under test takes it."""


@contextmanager
def killed_before(n: int) -> Iterator[list[int]]:
    """Ends in front of the nth statement that writes; the list tells whether it came to that."""
    left, killed = [n], []

    def count(execute, sql, params, many, context):
        if sql.lstrip().startswith(("INSERT", "UPDATE", "WITH", "SELECT jobs", "DELETE")):
            left[0] -= 1
            if left[0] < 0:
                killed.append(n)
                raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        try:
            yield killed
        except Killed:
            pass


def at_every_step(begin: Callable[[], Task], check: Callable[[Task], None]) -> int:
    """Kill a round in front of each of its statements; how many there were.

    Each time the round is killed, others come after it, `check` looks, and all is undone.
    """
    with transaction.atomic():
        task = begin()
        for n in range(200):
            with transaction.atomic():
                with killed_before(n) as killed:
                    engine.run(NOW)
                rounds(1)
                check(task)
                assert recount.differences() == []
                transaction.set_rollback(True)
            if not killed:
                return n
    raise AssertionError("a round writes for ever")


def with_input(**fields: Any) -> Task:
    dataset, se = create_dataset("data.RAW", state="frozen"), create_storage()
    for i in range(7):
        create_file(f"raw.{i}", at=[se], dataset=dataset, events=10)
    return registered(simul("data.RAW", **fields))


def check_whole(task: Task) -> None:
    """Each file is in one piece, each piece has one job, and the counts agree."""
    pieces = TaskPiece.objects.filter(task=task)
    assert [piece.serial for piece in pieces] == [1, 2, 3, 4]
    jobs = Job.objects.filter(task=task, retry_of=None)
    read = JobFile.objects.filter(job__in=jobs, type="input").values_list("lfn", flat=True)
    assert sorted(read) == [f"raw.{i}" for i in range(7)]
    assert TaskInput.objects.filter(task=task, piece=None).count() == 0
    after = now_of(task)
    assert (after.pieces, after.inputs, after.events_cut) == (4, 7, 70)
    assert list(pieces.values_list("tries", flat=True)) == [1, 1, 1, 1]


@pytest.mark.django_db
def test_no_piece_is_made_twice_wherever_the_making_is_killed():
    create_user()

    steps = at_every_step(with_input, check_whole)

    assert steps > 10, "the way to the jobs has fewer steps than it had"


@pytest.mark.django_db(transaction=True)
def test_two_rounds_at_once_make_each_job_once():
    create_user()
    tasks = [with_input(), *(registered(evgen(name=f"t{i}", events=40)) for i in range(4))]
    begun, done = Barrier(3, timeout=60), []

    def carry() -> None:
        begun.wait()
        for _ in range(4):
            done.append(engine.run(NOW))
        connections.close_all()

    workers = [Thread(target=carry) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert len(done) == 12
    check_whole(tasks[0])
    assert recount.differences() == []
    for task in tasks[1:]:
        jobs = Job.objects.filter(task=task)
        assert jobs.count() == jobs.values("job_parameters").distinct().count() == 4
        assert list(task.history.values_list("to_state", flat=True)) == [
            "registered", "defined", "ready", "running",
        ]  # fmt: skip


@pytest.mark.django_db
def test_no_end_is_counted_twice_wherever_the_following_is_killed():
    create_user()

    def some_ended() -> Task:
        task = registered(evgen(events=40))
        rounds(2)
        first, *others = live_jobs(task)
        fail_jobs([first])
        finish_jobs(others)
        return task

    def check(task: Task) -> None:
        after = now_of(task)
        assert (after.pieces, after.pieces_done, after.events_done) == (4, 3, 30)
        assert TaskPiece.objects.get(task=task, serial=1).tries == 2
        assert len(live_jobs(task)) == 1

    assert at_every_step(some_ended, check) > 3


@pytest.mark.django_db
def test_scouts_are_followed_by_the_rest_once_wherever_the_change_is_killed():
    create_user()

    def scouts_ended() -> Task:
        task = with_input(scouts=True, n_scouts=2)
        rounds(2)
        finish_jobs(live_jobs(task))
        return task

    assert at_every_step(scouts_ended, check_whole) > 5
