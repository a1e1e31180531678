"""The rows of new tasks: the task itself, and the datasets that it reads and makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q

from brokerage.models import VO, Cloud, Site
from datasets import services as data
from datasets.models import Dataset
from jobs.models import Task, TaskDataset
from jobs.tasks_engine.body import NUMBER
from jobs.tasks_engine.spec import TaskSpec
from jobs.tasks_engine.states import TaskState
from pandasite.base.errors import Conflict

Key = tuple[str, str]  # owner's name, task's name
Role = TaskDataset.Role


def register(
    specs: Sequence[TaskSpec], *, now: dt.datetime
) -> tuple[list[Task | Conflict], list[int]]:
    """The tasks in the order of the specs, and the numbers of those that are new.

    Who registers the same name at the same time is waited for. A name that stands for another
    request is a Conflict.
    """
    wanted = {(spec.owner, spec.name): spec for spec in reversed(specs)}
    before = _there(wanted)
    Task.objects.bulk_create(
        _rows([wanted[key] for key in sorted(wanted.keys() - before.keys())], now=now),
        ignore_conflicts=True,
    )
    there = _there(wanted)
    fresh = [there[key] for key in there.keys() - before.keys()]
    new = [task for task in fresh if not task.event_seq and task.created_at == now]
    _adopt(new, wanted, there)
    _give_datasets(new, wanted, now=now)
    return [_same(spec, there[spec.owner, spec.name]) for spec in specs], [t.pk for t in new]


def _there(wanted: Mapping[Key, TaskSpec]) -> dict[Key, Task]:
    tasks = Task.objects.select_related("owner").filter(
        owner__username__in={owner for owner, _ in wanted}, name__in={name for _, name in wanted}
    )
    found = {(task.owner.get_username(), task.name): task for task in tasks}
    return {key: task for key, task in found.items() if key in wanted}


def _same(spec: TaskSpec, task: Task) -> Task | Conflict:
    if task.is_grouping:
        words = f"task {task.pk} {task.name} groups jobs that were submitted: choose another name"
        return Conflict(words, code="name_taken", task_id=task.pk)
    if task.spec_sha256 != spec.sha256:
        words = f"the name {task.name} stands for another request, task {task.pk}"
        return Conflict(words, code="name_taken", task_id=task.pk)
    return task


def _rows(specs: Sequence[TaskSpec], *, now: dt.datetime) -> list[Task]:
    owners = {
        u.get_username(): u for u in User.objects.filter(username__in={s.owner for s in specs})
    }
    vos, clouds = _by_name(VO, specs, "vo"), _by_name(Cloud, specs, "cloud")
    sites = _by_name(Site, specs, "site")
    return [
        Task(
            name=spec.name,
            owner=owners[spec.owner],
            vo=vos[spec.vo],
            working_group=spec.working_group,
            processing_type=spec.processing_type,
            created_at=now,
            state=TaskState.REGISTERED,
            state_changed_at=now,
            prod_source_label=spec.prod_source_label,
            priority=spec.priority,
            campaign=spec.campaign,
            request_id=spec.request_id,
            transformation=spec.transformation,
            tag=spec.tag,
            cloud=clouds.get(spec.cloud),
            site=sites.get(spec.site),
            spec=spec.as_json(),
            spec_sha256=spec.sha256,
            events=spec.events,
            input_open=bool(spec.inputs),
        )
        for spec in specs
    ]


def _by_name(model: Any, specs: Sequence[TaskSpec], field: str) -> dict[str, Any]:
    names = {getattr(spec, field) for spec in specs} - {""}
    return {row.name: row for row in model.objects.filter(name__in=names)}


def _adopt(new: Sequence[Task], wanted: Mapping[Key, TaskSpec], there: Mapping[Key, Task]) -> None:
    """Give those tasks their parents, which may have come with them."""
    parents = {task.pk: wanted[_key(task)].parent for task in new}
    named = set(parents.values()) - {""}
    numbers = [int(name) for name in named if NUMBER.fullmatch(name)]
    owners = {task.owner_id for task in new}
    known = Task.objects.filter(Q(pk__in=numbers) | Q(owner__in=owners, name__in=named))
    by_name = {(task.owner_id, task.name): task for task in known}
    by_number = {str(task.pk): task for task in known}
    children = []
    for task in new:
        name = parents[task.pk]
        if name:
            task.parent = by_name.get((task.owner_id, name)) or by_number[name]
            children.append(task)
    Task.objects.bulk_update(children, ["parent"])


def _key(task: Task) -> Key:
    return task.owner.get_username(), task.name


def _give_datasets(
    new: Sequence[Task], wanted: Mapping[Key, TaskSpec], *, now: dt.datetime
) -> None:
    """What they make is there from now on, empty, so that others may be told to read it."""
    uses = {task.pk: _uses(wanted[_key(task)]) for task in new}
    types: dict[str, Dataset.Type] = {}
    for said in uses.values():
        types |= {name: Dataset.Type.DESTINATION for role, _, name in said if role in MADE}
    for said in uses.values():
        types |= {n: Dataset.Type.INPUT for role, _, n in said if n not in types}
    datasets = data.ensure_typed(types, now=now)
    data.promote_to_destinations(n for n, t in types.items() if t == Dataset.Type.DESTINATION)
    TaskDataset.objects.bulk_create(
        TaskDataset(task_id=pk, role=role, place=place, dataset=datasets[name])
        for pk, said in uses.items()
        for role, place, name in said
    )


MADE = (Role.BUILT, Role.OUTPUT, Role.MERGED)


def _uses(spec: TaskSpec) -> list[tuple[TaskDataset.Role, int, str]]:
    return [
        *((Role.INPUT, i, name) for i, name in enumerate(spec.inputs)),
        *((Role.SECONDARY, i, one.dataset) for i, one in enumerate(spec.secondary)),
        *((Role.OUTPUT, i, one.dataset) for i, one in enumerate(spec.outputs)),
        *((Role.BUILT, 0, one.dataset) for one in (spec.build,) if one),
        *((Role.MERGED, 0, one.dataset) for one in (spec.merge,) if one),
    ]
