"""The verbs of tasks: idempotent registration, legal moves, and an event for each."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from jobs.models import Task, TaskDataset
from jobs.tasks_engine import recount, services
from jobs.tasks_engine.states import FINAL, MOVES, TaskState
from pandasite.base.errors import BadInput, Conflict, IllegalMove
from tests.builders import NOW, create_cloud, create_job, create_site, create_user
from tests.tasks_engine.requests import checked, evgen, registered, simul

pytestmark = pytest.mark.django_db
BY = {"actor": "alice", "now": NOW}


def stand(task: Task, state: str) -> Task:
    """Put a task into a state past the services."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else the table may not be altered
        cursor.execute("ALTER TABLE jobs_task DISABLE TRIGGER jobs_task_guard")
        Task.objects.filter(pk=task.pk).update(
            state=state, ended_at=NOW if state in FINAL else None
        )
        cursor.execute("ALTER TABLE jobs_task ENABLE TRIGGER jobs_task_guard")
    task.refresh_from_db()
    return task


def history(task: Task) -> list[tuple[str, str, str]]:
    return list(task.history.values_list("from_state", "to_state", "reason"))


def test_a_request_that_is_sent_again_is_the_same_task():
    first, again = registered(evgen()), registered(evgen())

    assert first.pk == again.pk
    assert history(first) == [("", "registered", "registered")]
    assert TaskDataset.objects.filter(task=first).count() == 1


def test_a_name_stands_for_one_request_only():
    task = registered(evgen())

    with pytest.raises(Conflict, match=f"another request, task {task.pk}"):
        registered(evgen(events=200))
    assert registered(evgen(events=200), owner="bob").pk != task.pk


def test_a_chain_registers_at_once_and_knows_its_parents():
    requests = [simul("mc09.evgen.EVNT", parent="mc09.evgen"), evgen()]
    create_user()
    checked(evgen(name="other"))
    from jobs.tasks_engine.spec import specs_from

    specs = specs_from([(one, "alice") for one in requests])

    child, parent = services.register_many(specs, **BY)

    assert Task.objects.get(pk=child.pk).parent_id == parent.pk


def test_a_task_that_only_groups_jobs_is_moved_by_nobody():
    grouping = Task.objects.create(name="mine", owner=create_user(), created_at=NOW)

    with pytest.raises(IllegalMove, match="only groups jobs"):
        services.kill(grouping, reason="no", **BY)
    with pytest.raises(Conflict, match="groups jobs"):
        registered(evgen(name="mine"))


@pytest.mark.parametrize("state", [s.value for s in TaskState])
def test_the_database_refuses_every_move_that_the_table_does_not_have(state):
    task = registered(evgen())
    refused = []
    for to in TaskState:
        stand(task, state)
        try:
            with transaction.atomic():
                Task.objects.filter(pk=task.pk).update(
                    state=to, ended_at=NOW if to in FINAL else None
                )
        except IntegrityError:
            refused.append(to)

    legal = MOVES[TaskState(state)] | {state}
    assert set(refused) == set(TaskState) - legal


def test_a_cloud_is_given_to_a_task_that_waits_for_one_and_to_no_other():
    task, cloud = stand(registered(evgen()), "assigning"), create_cloud("US")

    services.assign_cloud(task, cloud, reason="12 of 12 files are there", **BY)

    task.refresh_from_db()
    assert (task.state, task.cloud) == ("ready", cloud)
    assert history(task)[-1] == ("assigning", "ready", "cloud US: 12 of 12 files are there")
    with pytest.raises(IllegalMove):
        services.assign_cloud(task, cloud, reason="again", **BY)


def test_a_pause_goes_back_to_where_it_was():
    task = stand(registered(evgen()), "running")

    services.pause(task, reason="storage is full", **BY)
    services.resume(task, reason="there is room", **BY)

    assert [(old, new) for old, new, _ in history(task)[1:]] == [
        ("running", "paused"),
        ("paused", "running"),
    ]


def test_a_priority_goes_to_the_jobs_that_no_pilot_has():
    task = stand(registered(evgen()), "running")
    waiting = create_job("activated", task=task, current_priority=100)
    running = create_job("running", task=task, current_priority=100)

    services.set_priority(task, 700, reason="conference", **BY)

    for job in (task, waiting, running):
        job.refresh_from_db()
    assert (task.priority, waiting.current_priority, running.current_priority) == (700, 700, 100)
    assert history(task)[-1] == ("running", "running", "priority 100 -> 700: conference")


def test_fsck_tells_of_a_task_that_differs_from_what_is_kept_of_it():
    task = registered(evgen())
    assert recount.differences() == []

    Task.objects.filter(pk=task.pk).update(pieces=3, event_seq=7)

    assert recount.differences() == [
        f"task {task.pk} is registered (event 7), its last event says registered (event 1)",
        f"task {task.pk} says 0 of 3 pieces and 0 of 0 files are done, found 0 of 0 and 0 of 0",
    ]


def test_what_may_not_be_changed_by_a_retry_is_named():
    task = stand(registered(evgen()), "failed")

    with pytest.raises(BadInput, match="events may not be changed"):
        services.retry_failed(task, reason="more", changes={"events": 5}, **BY)
    with pytest.raises(Conflict, match="nothing of task"):
        services.retry_failed(task, reason="again", **BY)
    for state in ("aborted", "paused"):
        with pytest.raises(IllegalMove, match=f"is {state}: tried again is what is scouting, run"):
            services.retry_failed(stand(task, state), reason="again", **BY)


def test_a_retry_goes_to_no_site_outside_the_cloud_that_the_task_was_given():
    task = stand(registered(evgen(prod_source_label="managed")), "assigning")
    services.assign_cloud(task, create_cloud("US"), reason="has room", **BY)
    create_site("LYON", cloud=create_cloud("FR"))

    with pytest.raises(BadInput, match="site is in cloud FR, not in US"):
        services.retry_failed(stand(task, "failed"), reason="x", changes={"site": "LYON"}, **BY)
