"""Tables of this floor: tasks, jobs with their files and history, pilots, and bookkeeping."""

from jobs.models.books import (
    AnswerCount,
    AnswerDelta,
    BrokerageDecision,
    ClaimKey,
    CountDelta,
    ErrorCode,
    JobCount,
    QueueKind,
    SubmitKey,
    Transformation,
)
from jobs.models.job import ERROR_COMPONENTS, Job, JobFile
from jobs.models.pilot import Pilot, PilotAccount
from jobs.models.task import Task
from jobs.models.trace import JobEvent, JobOutput

__all__ = [
    "ERROR_COMPONENTS",
    "AnswerCount",
    "AnswerDelta",
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
    "QueueKind",
    "SubmitKey",
    "Task",
    "Transformation",
]
