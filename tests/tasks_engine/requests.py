"""Task requests as people write them, and tasks made of them."""

from __future__ import annotations

from typing import Any

from jobs.models import Task
from jobs.tasks_engine import services
from jobs.tasks_engine.spec import TaskSpec, spec_from
from tests.builders import NOW, create_user, create_vo


def evgen(**fields: Any) -> dict[str, Any]:
    """Event generation: 100 events, 10 per job, no input, no scouts."""
    name = fields.get("name", "mc09.evgen")
    return {
        "name": name,
        "vo": "atlas",
        "transformation": "evgen.py",
        "job_parameters": "--seed=${N} --first=${FIRSTEVENT} --events=${MAXEVENTS} ${OUTPUT0}",
        "events": 100,
        "events_per_job": 10,
        "outputs": [{"dataset": f"{name}.EVNT", "scope": "mc09", "lfn": f"{name}._${{SN}}.root"}],
        "scouts": False,
    } | fields


def simul(dataset: str, **fields: Any) -> dict[str, Any]:
    """Simulation: reads a dataset, two files per job, no scouts."""
    name = fields.get("name", "mc09.simul")
    return {
        "name": name,
        "vo": "atlas",
        "transformation": "simul.py",
        "job_parameters": "--in=${IN} --out=${OUTPUT0}",
        "inputs": [dataset],
        "files_per_job": 2,
        "outputs": [{"dataset": f"{name}.HITS", "scope": "mc09", "lfn": f"{name}._${{SN}}.root"}],
        "scouts": False,
    } | fields


def checked(request: dict[str, Any], owner: str = "alice") -> TaskSpec:
    create_vo()
    return spec_from(request, owner=create_user(owner).username)


def registered(request: dict[str, Any], owner: str = "alice") -> Task:
    return services.register(checked(request, owner), actor=owner, now=NOW)
