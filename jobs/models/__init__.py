"""Tables of this floor: tasks, jobs with their files and history, pilots, and bookkeeping."""

from jobs.models.books import (
    BrokerageDecision,
    ClaimKey,
    CountDelta,
    ErrorCode,
    JobCount,
    SubmitKey,
    Transformation,
)
from jobs.models.job import ERROR_COMPONENTS, Job, JobEvent, JobFile, JobOutput
from jobs.models.pilot import Pilot, PilotAccount
from jobs.models.task import Task

__all__ = [
    "ERROR_COMPONENTS",
    "BrokerageDecision",
    "ClaimKey",
    "CountDelta",
    "ErrorCode",
    "Job",
    "JobCount",
    "JobEvent",
    "JobFile",
    "JobOutput",
    "Pilot",
    "PilotAccount",
    "SubmitKey",
    "Task",
    "Transformation",
]
