"""The states of a task and the table of legal moves. Pure: no database, no Django."""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    REGISTERED = "registered"  # kept; nothing of it has been looked at yet
    DEFINED = "defined"  # checked: it can run
    ASSIGNING = "assigning"  # waits for a cloud
    READY = "ready"  # has all it needs but the list of its input
    PENDING = "pending"  # its input is not there yet
    SCOUTING = "scouting"  # a few jobs run first, and are measured
    RUNNING = "running"  # jobs are made and run
    PAUSED = "paused"  # no new jobs are made until somebody resumes it
    FINISHING = "finishing"  # no more work is cut; what was cut comes to its end, merging included
    DONE = "done"  # all of its work succeeded
    FINISHED = "finished"  # a part of it did
    FAILED = "failed"  # none of it did
    ABORTING = "aborting"  # killed; its jobs come to their end
    ABORTED = "aborted"  # killed, and no job lives any more
    BROKEN = "broken"  # it can never run, and says why
    EXHAUSTED = "exhausted"  # all scouts failed: somebody has to look


S = TaskState

# A task that only groups jobs which were submitted with its name has no state of its own.
GROUPING = ""

FINAL: tuple[TaskState, ...] = (S.DONE, S.FINISHED, S.FAILED, S.ABORTED, S.BROKEN)
LIVE: tuple[TaskState, ...] = tuple(state for state in S if state not in FINAL)
# The engine looks at these by itself; the others wait for a cloud or for a person.
AT_WORK: tuple[TaskState, ...] = (
    S.REGISTERED,
    S.DEFINED,
    S.READY,
    S.PENDING,
    S.SCOUTING,
    S.RUNNING,
    S.FINISHING,
    S.ABORTING,
)
_BEFORE_JOBS: tuple[TaskState, ...] = (S.REGISTERED, S.DEFINED, S.ASSIGNING, S.READY, S.PENDING)
PAUSABLE: tuple[TaskState, ...] = (*_BEFORE_JOBS, S.SCOUTING, S.RUNNING)
_BY_HAND = frozenset({S.PAUSED, S.FINISHING, S.ABORTING})

MOVES: dict[TaskState, frozenset[TaskState]] = {
    S.REGISTERED: frozenset({S.DEFINED, S.BROKEN}) | _BY_HAND,
    S.DEFINED: frozenset({S.ASSIGNING, S.READY, S.BROKEN}) | _BY_HAND,
    S.ASSIGNING: frozenset({S.READY, S.BROKEN}) | _BY_HAND,
    S.READY: frozenset({S.PENDING, S.SCOUTING, S.RUNNING, S.BROKEN}) | _BY_HAND,
    S.PENDING: frozenset({S.SCOUTING, S.RUNNING, S.BROKEN}) | _BY_HAND,
    S.SCOUTING: frozenset({S.RUNNING, S.EXHAUSTED, S.BROKEN}) | _BY_HAND,
    S.RUNNING: frozenset({S.BROKEN}) | _BY_HAND,
    S.PAUSED: frozenset({*PAUSABLE, S.FINISHING, S.ABORTING}),
    S.FINISHING: frozenset({S.DONE, S.FINISHED, S.FAILED, S.RUNNING, S.BROKEN, S.ABORTING}),
    S.DONE: frozenset(),
    S.FINISHED: frozenset({S.RUNNING}),
    S.FAILED: frozenset({S.RUNNING}),
    S.ABORTING: frozenset({S.ABORTED}),
    S.ABORTED: frozenset(),
    S.BROKEN: frozenset(),
    S.EXHAUSTED: frozenset({S.SCOUTING, S.FINISHING, S.ABORTING}),
}


def may(since: TaskState, to: TaskState) -> bool:
    """Whether the table has the move."""
    return to in MOVES[since]


def since(to: TaskState) -> tuple[TaskState, ...]:
    """The states that `to` may follow."""
    return tuple(state for state in TaskState if to in MOVES[state])


def legal(state: TaskState) -> list[str]:
    """The states that may follow, in the order of a task's life, for error messages."""
    return [other.value for other in TaskState if other in MOVES[state]]


class PieceState(StrEnum):
    """Of a piece of work: what one job does, or the chain of jobs that try it one after another."""

    PLANNED = "planned"  # cut, has no job yet
    SUBMITTED = "submitted"  # has a job
    DONE = "done"  # its job finished
    FAILED = "failed"  # its last job failed or was cancelled, and nobody tries it again
    DROPPED = "dropped"  # the task was told to finish before it had a job


class Stage(StrEnum):
    """What a piece is for."""

    BUILD = "build"  # one job before all others, whose output they read
    WORK = "work"
    MERGE = "merge"
