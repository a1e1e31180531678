"""Tables of this floor: tasks, jobs with their files and history, pilots, and bookkeeping."""

from jobs.models.anyjob import LIVE_SHELF, AnyJob, AnyJobEvent, AnyJobFile, AnyJobOutput
from jobs.models.books import (
    AnswerCount,
    AnswerDelta,
    BrokerageDecision,
    ClaimKey,
    CountDelta,
    ErrorCode,
    JobCount,
    QueueKind,
    SiteRoom,
    SubmitKey,
    Transformation,
)
from jobs.models.file import JobFile
from jobs.models.job import ERROR_COMPONENTS, Job, JobColumns
from jobs.models.name import JobName
from jobs.models.pilot import Node, Pilot, PilotAccount
from jobs.models.pulse import Pulse
from jobs.models.task import Task
from jobs.models.trace import JobEvent, JobOutput

__all__ = [
    "ERROR_COMPONENTS",
    "LIVE_SHELF",
    "AnswerCount",
    "AnswerDelta",
    "AnyJob",
    "AnyJobEvent",
    "AnyJobFile",
    "AnyJobOutput",
    "BrokerageDecision",
    "ClaimKey",
    "CountDelta",
    "ErrorCode",
    "Job",
    "JobColumns",
    "JobCount",
    "JobEvent",
    "JobFile",
    "JobName",
    "JobOutput",
    "Node",
    "Pilot",
    "PilotAccount",
    "Pulse",
    "QueueKind",
    "SiteRoom",
    "SubmitKey",
    "Task",
    "Transformation",
]
