"""The demo's production manager: asks for tasks in prodDB, and reads there what came of them."""

import datetime as dt

from jobs.proddb import door
from jobs.proddb.door import NewDefinition, NewRequest, ProdState, Standing
from pandasite.demo.accounts import MANAGER
from pandasite.demo.productions import Production, productions
from pandasite.demo.submissions import Submission
from pandasite.demo.wave import Wave

# What a definition has columns for, or what its task says.
COLUMNS = frozenset(
    {
        "job_name", "transformation", "job_parameters", "assigned_priority", "task", "cloud", "vo",
        "processing_type", "working_group",
    }
)  # fmt: skip


def ask_for(production: Production, *, now: dt.datetime) -> None:
    """Write the request with its jobs or parameters; once, however often it is asked."""
    said = production.jobs[0].submission
    request = NewRequest(
        name=production.request,
        owner=MANAGER,
        vo=said["vo"],
        working_group=said.get("working_group", ""),
        processing_type=said["processing_type"],
        campaign="demo",
        priority=production.priority,
        cloud=production.cloud,
        parameters=production.parameters,
    )
    defined = () if production.parameters else production.jobs  # else the engine makes them
    jobs = [definition(job.submission) for job in defined]
    with door.open_session():
        door.ask_for(request, jobs, now=now)


def definition(said: Submission) -> NewDefinition:
    """A submission as a job definition."""
    return NewDefinition(
        name=said["job_name"],
        transformation=said["transformation"],
        parameters=said["job_parameters"],
        details={name: value for name, value in said.items() if name not in COLUMNS},
    )


def standings(wave: Wave) -> list[Standing]:
    """What prodDB says of the wave's tasks."""
    names = [part.request for part in productions(wave) if part.request]
    with door.open_session():
        return door.standings(owner=MANAGER, names=names)


def has_heard(wave: Wave) -> bool:
    """Whether prodDB says of every task of the wave that it has ended."""
    return all(ProdState(one.state) in door.FINAL for one in standings(wave))


def is_done(wave: Wave) -> bool:
    """Whether each task that was asked for is made, all of it, as prodDB says."""
    wanted = sum(1 for part in productions(wave) if part.request)
    found = standings(wave)
    return len(found) == wanted and all(one.state == ProdState.DONE for one in found)


def summary(wave: Wave) -> list[str]:
    """A line for each task."""
    lines = []
    for one in standings(wave):
        why = f": {one.reason}" if one.reason else ""
        done = f"{one.jobs_finished} of {one.jobs_total} jobs in cloud {one.cloud}"
        lines.append(f"prodDB      {one.name} {one.state}, {done}{why}")
    verdict = "prodDB says DONE of every task" if is_done(wave) else "NOT DONE in prodDB: some task"
    return [*lines, verdict]
