"""Tasks as JSON: one with all its facts, or a page of a list."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.http import QueryDict

from jobs.models import Task, TaskDataset, TaskPiece
from jobs.tasks_engine.deciding import waits_for
from jobs.tasks_engine.looking import facts_of
from jobs.tasks_engine.progress import left_s
from jobs.tasks_engine.states import TaskState
from pandasite.base.errors import NotThere
from pandasite.base.params import Params

LIMIT_MAX = 1000
EVENTS_SHOWN = 200
CHILDREN_SHOWN = 100
KNOWN = ("state", "owner", "name", "campaign", "before", "limit", "format")
RELATED = ("owner", "vo", "cloud", "site", "parent")


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks a list shows; `before` is the number that the page starts below."""

    state: str = ""
    owner: str = ""
    name: str = ""
    campaign: str = ""
    before: int | None = None
    limit: int = 100

    def apply(self, tasks: QuerySet[Task]) -> QuerySet[Task]:
        """The tasks that pass."""
        if self.state:
            tasks = tasks.filter(state=self.state)
        if self.owner:
            tasks = tasks.filter(owner__username=self.owner)
        if self.name:
            tasks = tasks.filter(name__startswith=self.name)
        if self.campaign:
            tasks = tasks.filter(campaign=self.campaign)
        return tasks.filter(pk__lt=self.before) if self.before is not None else tasks


def parse_filter(given: QueryDict) -> TaskFilter:
    """The filter of a query string; BadInput names the parameter, the value and the range."""
    params = Params(given, known=KNOWN, keep_empty=True)
    return TaskFilter(
        state=params.choice("state", list(TaskState), code="unknown_state"),
        owner=params.text("owner"),
        name=params.text("name"),
        campaign=params.text("campaign"),
        before=params.number("before", low=1, high=2**63 - 1),
        limit=params.number("limit", low=1, high=LIMIT_MAX) or TaskFilter.limit,
    )


def listed(wanted: TaskFilter, *, now: dt.datetime) -> dict[str, Any]:
    """A page of tasks, newest first; `before` continues it."""
    tasks = wanted.apply(Task.objects.select_related(*RELATED))
    page = list(tasks.order_by("-pk")[: wanted.limit + 1])
    shown = page[: wanted.limit]
    return {
        "tasks": [summary(task, now=now) for task in shown],
        "before": shown[-1].pk if len(page) > wanted.limit else None,
    }


def the_task(task_id: int) -> Task:
    """The task of that number; NotThere when there is none."""
    same = Task.objects.select_related(*RELATED).filter(pk=task_id)
    task = same.first() if task_id < 2**63 else None
    if task is None:
        raise NotThere(f"there is no task {task_id}")
    return task


def summary(task: Task, *, now: dt.datetime) -> dict[str, Any]:
    """What a list shows; `state` is null for a task that only groups jobs."""
    return {
        "task_id": task.pk,
        "name": task.name,
        "state": task.state or None,
        "owner": task.owner.get_username(),
        "vo": task.vo.name if task.vo else None,
        "working_group": task.working_group,
        "processing_type": task.processing_type,
        "prod_source_label": task.prod_source_label,
        "priority": task.priority,
        "campaign": task.campaign,
        "request_id": task.request_id,
        "parent_id": task.parent_id,
        "transformation": task.transformation,
        "tag": task.tag,
        "cloud": task.cloud.name if task.cloud else None,
        "site": task.site.name if task.site else None,
        "created_at": task.created_at,
        "state_changed_at": task.state_changed_at,
        "ended_at": task.ended_at,
        "reason": task.state_reason,
        "progress": progress_json(task, now=now),
    }


def progress_json(task: Task, *, now: dt.datetime) -> dict[str, Any]:
    """How far it is: in events, input files, pieces of work, and seconds that are left."""
    return {
        "events": task.events,
        "events_done": task.events_done,
        "input_files": task.inputs,
        "input_files_done": task.inputs_done,
        "input_files_failed": task.inputs_failed,
        "input_open": task.input_open,
        "pieces": task.pieces,
        "pieces_done": task.pieces_done,
        "pieces_failed": task.pieces_failed,
        "merges": task.merges,
        "merges_done": task.merges_done,
        "merges_failed": task.merges_failed,
        "eta_seconds": left_s(task, now=now),
    }


def task_json(task: Task, *, now: dt.datetime) -> dict[str, Any]:
    """Everything that is known of a task."""
    children = task.children.order_by("pk")[:CHILDREN_SHOWN]
    history = task.history.order_by("-seq")[:EVENTS_SHOWN]
    return summary(task, now=now) | {
        "waits_for": waiting(task),
        "spec": {name: value for name, value in task.spec.items() if name != "owner"},
        "measured": task.measured,
        "counts": counts(task),
        "datasets": datasets(task),
        "children": [{"task_id": t.pk, "name": t.name, "state": t.state or None} for t in children],
        "history": [
            {
                "seq": event.seq,
                "from_state": event.from_state,
                "to_state": event.to_state,
                "actor": event.actor,
                "at": event.at,
                "reason": event.reason,
            }
            for event in reversed(history)
        ],
    }


def waiting(task: Task) -> str:
    """What it waits for, in a sentence; empty for a task that only groups jobs."""
    if task.is_grouping:
        return ""
    return waits_for(facts_of([task])[task.pk], reason=task.state_reason)


def counts(task: Task) -> list[dict[str, Any]]:
    """How many pieces there are in each state, by what they are for."""
    rows = TaskPiece.objects.filter(task=task).order_by("stage", "state")
    return [dict(row) for row in rows.values("stage", "state").annotate(pieces=Count("pk"))]


def datasets(task: Task) -> list[dict[str, Any]]:
    """What it reads and makes."""
    uses = TaskDataset.objects.filter(task=task).order_by("role", "place")
    names = ("role", "place", "dataset__name", "dataset__state")
    return [
        dict(zip(("role", "place", "name", "state"), row, strict=True))
        for row in uses.values_list(*names)
    ]
