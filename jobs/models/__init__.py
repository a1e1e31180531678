"""Tables of this floor: tasks, jobs with their files and history, pilots, and bookkeeping."""

from jobs.models.anyjob import LIVE_SHELF, AnyJob, AnyJobEvent, AnyJobFile, AnyJobOutput
from jobs.models.bamboo import (
    BambooJob,
    BambooRefusal,
    BambooRound,
    BambooSubmission,
    BambooTask,
    CloudDecision,
)
from jobs.models.books import (
    AnswerCount,
    AnswerDelta,
    BrokerageDecision,
    ClaimKey,
    CountDelta,
    EndedTotal,
    ErrorCode,
    JobCount,
    QueueKind,
    SiteRoom,
    SubmitKey,
    Transformation,
)
from jobs.models.client import ClientTask, DebugMode
from jobs.models.columns import ERROR_COMPONENTS, JobColumns
from jobs.models.ends import EndDelta, ErrorCount, ErrorTotal, NodeCount, WorkflowCount
from jobs.models.fact import SiteFact
from jobs.models.file import JobFile
from jobs.models.job import Job
from jobs.models.kept import KeptLease
from jobs.models.move import Move
from jobs.models.name import JobName, WeekStem
from jobs.models.pilot import Node, Pilot, PilotAccount
from jobs.models.pulse import Pulse
from jobs.models.sandbox import Sandbox
from jobs.models.share import PriorityLift, QuotaHold, Share, ShareTally, ShareUse
from jobs.models.tag import Tag
from jobs.models.task import Task
from jobs.models.trace import JobEvent, JobOutput
from jobs.models.usage import (
    FactoryTally,
    LiveTally,
    TaskUsage,
    Usage,
    UsageBook,
    UsageQuota,
)
from jobs.models.work import TaskDataset, TaskEvent, TaskInput, TaskPiece

__all__ = [
    "ERROR_COMPONENTS",
    "LIVE_SHELF",
    "AnswerCount",
    "AnswerDelta",
    "AnyJob",
    "AnyJobEvent",
    "AnyJobFile",
    "AnyJobOutput",
    "BambooJob",
    "BambooRefusal",
    "BambooRound",
    "BambooSubmission",
    "BambooTask",
    "BrokerageDecision",
    "ClaimKey",
    "ClientTask",
    "CloudDecision",
    "CountDelta",
    "DebugMode",
    "EndDelta",
    "EndedTotal",
    "ErrorCode",
    "ErrorCount",
    "ErrorTotal",
    "FactoryTally",
    "Job",
    "JobColumns",
    "JobCount",
    "JobEvent",
    "JobFile",
    "JobName",
    "JobOutput",
    "KeptLease",
    "LiveTally",
    "Move",
    "Node",
    "NodeCount",
    "Pilot",
    "PilotAccount",
    "PriorityLift",
    "Pulse",
    "QueueKind",
    "QuotaHold",
    "Sandbox",
    "Share",
    "ShareTally",
    "ShareUse",
    "SiteFact",
    "SiteRoom",
    "SubmitKey",
    "Tag",
    "Task",
    "TaskDataset",
    "TaskEvent",
    "TaskInput",
    "TaskPiece",
    "TaskUsage",
    "Transformation",
    "Usage",
    "UsageBook",
    "UsageQuota",
    "WeekStem",
    "WorkflowCount",
]
