"""The twelve states of a job and the table of legal moves. Pure: no database, no Django."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    DEFINED = "defined"  # submitted; waits for brokerage
    WAITING = "waiting"  # an input file is not known anywhere yet
    ASSIGNED = "assigned"  # has a site; its input is on the way there
    ACTIVATED = "activated"  # all input is at the site: a pilot may take it
    SENT = "sent"  # handed to a pilot that has not answered yet
    STARTING = "starting"  # the pilot has it, the payload does not run yet
    RUNNING = "running"  # the payload runs, heartbeats arrive
    HOLDING = "holding"  # the pilot has reported its end, outputs are being registered
    TRANSFERRING = "transferring"  # outputs are on the way to their destination
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = JobState

FINAL: tuple[JobState, ...] = (S.FINISHED, S.FAILED, S.CANCELLED)
LIVE: tuple[JobState, ...] = tuple(state for state in S if state not in FINAL)
QUEUED: tuple[JobState, ...] = (S.WAITING, S.DEFINED, S.ASSIGNED, S.ACTIVATED)
LEASED: tuple[JobState, ...] = (S.SENT, S.STARTING, S.RUNNING)  # a pilot holds the job

MOVES: dict[JobState, frozenset[JobState]] = {
    S.WAITING: frozenset({S.DEFINED, S.FAILED, S.CANCELLED}),
    S.DEFINED: frozenset({S.ASSIGNED, S.ACTIVATED, S.FAILED, S.CANCELLED}),
    S.ASSIGNED: frozenset({S.ACTIVATED, S.DEFINED, S.FAILED, S.CANCELLED}),
    S.ACTIVATED: frozenset({S.SENT, S.DEFINED, S.FAILED, S.CANCELLED}),
    S.SENT: frozenset({S.STARTING, S.RUNNING, S.HOLDING, S.ACTIVATED, S.FAILED, S.CANCELLED}),
    S.STARTING: frozenset({S.RUNNING, S.HOLDING, S.ACTIVATED, S.FAILED, S.CANCELLED}),
    S.RUNNING: frozenset({S.HOLDING, S.ACTIVATED, S.FAILED, S.CANCELLED}),
    S.HOLDING: frozenset({S.TRANSFERRING, S.FINISHED, S.FAILED}),
    S.TRANSFERRING: frozenset({S.FINISHED, S.FAILED}),
    S.FINISHED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}

# What a pilot may say, and where it leads: its final word waits in holding for registration.
REPORTED: dict[str, JobState] = {
    "starting": S.STARTING,
    "running": S.RUNNING,
    "finished": S.HOLDING,
    "failed": S.HOLDING,
}


def may(since: JobState, to: JobState) -> bool:
    """Whether the table has the move."""
    return to in MOVES[since]


def since(to: JobState) -> tuple[JobState, ...]:
    """The states that `to` may follow."""
    return tuple(state for state in JobState if to in MOVES[state])


def legal(state: JobState) -> list[str]:
    """The states that may follow, in the order of a job's life, for error messages."""
    return [other.value for other in JobState if other in MOVES[state]]
