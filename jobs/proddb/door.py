"""The door to prodDB: the only name of this package that others import.

    with door.open_session():
        tasks = door.new_tasks(after=0, limit=1000)

Everything here speaks to prodDB and to nothing else; what it answers is plain data. Each verb is
one transaction there, and doing it twice has the effect of doing it once. `Away` is raised when
prodDB does not answer, or not in time; its words name no password.
"""

from __future__ import annotations

from jobs.proddb.abort import (
    Wanted,
    abort_jobs,
    abort_rest_of,
    abort_tasks,
    jobs_to_abort,
    tasks_to_abort,
)
from jobs.proddb.asking import (
    Backlog,
    Definition,
    Request,
    Standing,
    backlog,
    left,
    left_of,
    names_of_definitions,
    new_definitions,
    new_tasks,
    requests,
    standings,
    states_of_tasks,
    strays,
)
from jobs.proddb.router import ALIAS
from jobs.proddb.session import Away, available, open_session
from jobs.proddb.states import FINAL, OF_JOB, UNDER_WAY, ProdState
from jobs.proddb.telling import (
    JobNews,
    TaskNews,
    refuse_definitions,
    refuse_tasks,
    write_jobs,
    write_tasks,
)
from jobs.proddb.wishing import NewDefinition, NewRequest, ask_for, wish_abort

__all__ = [
    "ALIAS",
    "FINAL",
    "OF_JOB",
    "UNDER_WAY",
    "Away",
    "Backlog",
    "Definition",
    "JobNews",
    "NewDefinition",
    "NewRequest",
    "ProdState",
    "Request",
    "Standing",
    "TaskNews",
    "Wanted",
    "abort_jobs",
    "abort_rest_of",
    "abort_tasks",
    "ask_for",
    "available",
    "backlog",
    "jobs_to_abort",
    "left",
    "left_of",
    "names_of_definitions",
    "new_definitions",
    "new_tasks",
    "open_session",
    "refuse_definitions",
    "refuse_tasks",
    "requests",
    "standings",
    "states_of_tasks",
    "strays",
    "tasks_to_abort",
    "wish_abort",
    "write_jobs",
    "write_tasks",
]
