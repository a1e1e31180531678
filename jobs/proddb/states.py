"""The states of production, of tasks and of jobs alike. Pure."""

from __future__ import annotations

from enum import StrEnum

from jobs.states import JobState


class ProdState(StrEnum):
    """What stands in prodDB. Production writes TOBEDONE and TOBEABORTED, Bamboo all others."""

    TOBEDONE = "TOBEDONE"  # wished for; the next cycle takes it
    ASSIGNING = "ASSIGNING"  # a task that is taken and has no cloud yet
    SUBMITTED = "SUBMITTED"  # a task with a cloud; a job that waits for its turn
    RUNNING = "RUNNING"  # a job with a pilot; a task of which some job is or was
    DONE = "DONE"  # all of it is made
    FINISHED = "FINISHED"  # a task that has ended, with jobs lost
    FAILED = "FAILED"  # nothing of it is made, and nobody tries again
    TOBEABORTED = "TOBEABORTED"  # production wants it ended
    ABORTED = "ABORTED"  # it is ended: nothing of it lives any more
    REFUSED = "REFUSED"  # it makes no sense; the reason stands beside it


S = ProdState
FINAL: tuple[ProdState, ...] = (S.DONE, S.FINISHED, S.FAILED, S.ABORTED, S.REFUSED)
# What does not take the place of TOBEABORTED: it would forget what production wants.
UNDER_WAY: tuple[ProdState, ...] = (S.ASSIGNING, S.SUBMITTED, S.RUNNING)

OF_JOB: dict[JobState, ProdState] = {
    JobState.DEFINED: S.SUBMITTED,
    JobState.WAITING: S.SUBMITTED,
    JobState.ASSIGNED: S.SUBMITTED,
    JobState.ACTIVATED: S.SUBMITTED,
    JobState.SENT: S.SUBMITTED,
    JobState.STARTING: S.RUNNING,
    JobState.RUNNING: S.RUNNING,
    JobState.HOLDING: S.RUNNING,
    JobState.TRANSFERRING: S.RUNNING,
    JobState.FINISHED: S.DONE,
    JobState.FAILED: S.FAILED,
    JobState.CANCELLED: S.ABORTED,
}
