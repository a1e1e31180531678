"""What production writes into prodDB, and what it reads there, for tests."""

from __future__ import annotations

import itertools
from typing import Any

from brokerage.models import Cloud
from jobs import services
from jobs.bamboo import Report, cycle
from jobs.bamboo.turn import Limits
from jobs.models import Job
from jobs.proddb import door
from jobs.proddb.door import NewDefinition, NewRequest
from jobs.proddb.models import JobDefinition, StateChange, TaskRequest
from jobs.states import JobState
from tests.builders import NOW, create_cloud, create_site, create_vo

_serial = itertools.count(1)


def a_cloud(name: str = "US", *, with_storage: bool = True, **fields: Any) -> Cloud:
    """A cloud with a Tier-1, where a pilot has never been."""
    cloud = create_cloud(name, **fields)
    if cloud.tier1 is None:
        cloud.tier1 = create_site(f"{name}_T1", cloud=cloud, tier=1, with_storage=with_storage)
        cloud.save()
    return cloud


def ask(n: int = 0, *, details: dict[str, Any] | None = None, **fields: Any) -> int:
    """A request with `n` job definitions; its number."""
    create_vo()
    serial = next(_serial)
    given = {"name": f"mc09.{serial}", "owner": "carol", "vo": "atlas"} | fields
    definitions = [a_job(f"{given['name']}.{i}", details=details or {}) for i in range(n)]
    return door.ask_for(NewRequest(**given), definitions, now=NOW)


def a_job(name: str, **fields: Any) -> NewDefinition:
    return NewDefinition(**{"name": name, "transformation": "evgen.py"} | fields)


def define(request_id: int, **fields: Any) -> int:
    """One more job definition of a task, whatever it says; its number."""
    row = JobDefinition.objects.create(
        **{"request_id": request_id, "name": f"job{next(_serial)}", "transformation": "evgen.py"}
        | fields
    )
    return int(row.pk)


def turn(**limits: Any) -> Report:
    """One cycle."""
    return cycle(limits=Limits(**limits), seed=1)


def request(request_id: int) -> TaskRequest:
    return TaskRequest.objects.get(pk=request_id)


def definition(definition_id: int) -> JobDefinition:
    return JobDefinition.objects.get(pk=definition_id)


def definitions(request_id: int) -> list[JobDefinition]:
    return list(JobDefinition.objects.filter(request_id=request_id).order_by("pk"))


def outbox(kind: str, subject_id: int) -> list[str]:
    """The states that the outbox tells of one thing, in their order."""
    rows = StateChange.objects.filter(kind=kind, subject_id=subject_id).order_by("pk")
    return [f"{row.state} {row.panda_state}".strip() for row in rows]


LIFE = ("activated", "sent", "running", "holding", "finished")


def bring(job: Job, *, to: str) -> None:
    """Let a defined job live up to this state, at the Tier-1 of its cloud."""
    leased = {"lease_until": NOW, "lease_sha256": "0" * 64, "attempt_nr": 1}
    columns: dict[str, dict[str, Any]] = {
        "activated": {"computing_site": job.cloud and job.cloud.tier1},
        "sent": leased,
        "holding": {"lease_until": None, "verdict": "finished"},
    }
    for state in LIFE[: LIFE.index(to) + 1]:
        moved = services.move(
            Job.objects.filter(pk=job.pk),
            JobState(state),
            actor="tests",
            now=NOW,
            **columns.get(state, {}),
        )
        assert moved


def jobs_of(request_id: int) -> list[Job]:
    return list(Job.objects.filter(task__bamboo__request_id=request_id).order_by("pk"))


def finish(*jobs: Job) -> None:
    """As if pilots had done them."""
    for job in jobs:
        bring(job, to="finished")
