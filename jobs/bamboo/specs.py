"""From job definitions to checked jobs, by the rules of a submission over REST; or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.exceptions import ValidationError

from datasets.models import Dataset
from jobs.api import resolve
from jobs.api.bodies import JobBody
from jobs.api.names import Names
from jobs.models import BambooTask
from jobs.proddb.door import Definition
from jobs.rows import JobSpec
from pandasite.base.problems import problem_of

EVENTS_MAX = 10**12
# What a definition's columns and its task say; `details` may not say it otherwise.
FIXED = frozenset(
    {
        "job_name", "job_definition_id", "transformation", "job_parameters", "assigned_priority",
        "processing_type", "working_group", "vo", "task", "cloud",
    }
)  # fmt: skip


def check(
    page: Sequence[Definition], tasks: Mapping[int, BambooTask]
) -> tuple[dict[int, JobSpec], dict[int, str]]:
    """By number of the definition: the checked jobs, and the reasons of all others."""
    bodies: dict[int, dict[str, Any]] = {}
    reasons: dict[int, str] = {}
    body = JobBody()  # to make it costs a hundred times what a check by it does
    for one in page:
        said = _read(one, tasks[one.request_id], body)
        if isinstance(said, str):
            reasons[one.definition_id] = said
        else:
            bodies[one.definition_id] = said
    reasons |= _unknown_datasets(bodies)
    good = {number: body for number, body in bodies.items() if number not in reasons}
    return _resolved(good, reasons), reasons


def _read(one: Definition, task: BambooTask, body: JobBody) -> dict[str, Any] | str:
    """What a definition says as the body of a submission; or what is wrong in it."""
    if one.events is not None and not 0 <= one.events <= EVENTS_MAX:
        return f"events: must be from 0 to {EVENTS_MAX}, not {one.events}"
    if not isinstance(one.details, dict):
        return f"details: must be an object, not {type(one.details).__name__}"
    if twice := sorted(FIXED & one.details.keys()):
        return f"details: {twice[0]} is said by a column, or by the task"
    try:
        return dict(body.run_validation(_said(one, task)))
    except ValidationError as error:
        faults = problem_of(error).fields
        return "; ".join(str(fault["message"]) for fault in faults)[:2000] or str(error)


def _said(one: Definition, task: BambooTask) -> dict[str, Any]:
    owner_task = task.task
    return {
        "prod_source_label": "managed",
        **one.details,
        "job_name": one.name,
        "job_definition_id": one.definition_id,
        "transformation": one.transformation,
        "job_parameters": one.parameters,
        "assigned_priority": task.priority if one.priority is None else one.priority,
        "processing_type": task.processing_type,
        "working_group": owner_task.working_group,
        "vo": owner_task.vo.name if owner_task.vo else "",
        "task": str(owner_task.pk),
        "cloud": task.cloud.name if task.cloud else None,
    }


def _unknown_datasets(bodies: Mapping[int, dict[str, Any]]) -> dict[int, str]:
    """Jobs that read a dataset that nobody has, and no earlier definition of the page makes."""
    named = {f["dataset"] for body in bodies.values() for f in body.get("input_files", ())} - {""}
    if not named:
        return {}
    known = set(Dataset.objects.filter(name__in=named).values_list("name", flat=True))
    reasons = {}
    for number, body in sorted(bodies.items()):
        wanted = [f["dataset"] for f in body.get("input_files", ()) if f["dataset"]]
        missing = next((name for name in wanted if name not in known), None)
        if missing is not None:
            reasons[number] = f"input_files: there is no dataset {missing}"
            continue
        known.update(f["dataset"] for f in body.get("output_files", ()))
    return reasons


def _resolved(bodies: Mapping[int, dict[str, Any]], reasons: dict[int, str]) -> dict[int, JobSpec]:
    """Those whose names are all known; the reasons of the others are added."""
    numbers, jobs = [*bodies], [*bodies.values()]
    specs, faults = resolve.sifted(jobs, names=Names.of(jobs))
    for index, fault in faults.items():
        reasons[numbers[index]] = fault
    return {numbers[index]: spec for index, spec in specs.items()}
