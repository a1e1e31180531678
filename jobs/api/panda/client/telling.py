"""Tasks in PanDA's words: states, counts and dates as pbook shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from jobs.models import Task
from jobs.tasks_engine.states import TaskState as S

# By our state: PanDA's, where it has another word, and the coarser one by which pbook chooses.
STATUS: Final[Mapping[str, str]] = {S.FINISHING: "passed"}
SUPER: Final[Mapping[str, str]] = {
    S.DEFINED: "registered", S.ASSIGNING: "registered", S.PENDING: "registered",
    S.SCOUTING: "submitting", S.FINISHING: "running", S.ABORTING: "aborted",
}  # fmt: skip
GROUPING: Final = "running"  # jobs that only go by a task's name
DATE: Final = "%Y-%m-%d %H:%M:%S"


def status_of(task: Task) -> str:
    """PanDA's word for the state."""
    return STATUS.get(task.state, task.state) or GROUPING


def super_of(task: Task) -> str:
    """The coarse word."""
    return SUPER.get(task.state, task.state) or GROUPING


def states_of(*, status: str = "", coarse: str = "") -> list[str]:
    """Our states that PanDA's words stand for."""
    return [
        state.value
        for state in S
        if (not status or STATUS.get(state, state) == status)
        and (not coarse or SUPER.get(state, state) == coarse)
    ]


def date(moment: dt.datetime | None) -> str | None:
    """UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime(DATE) if moment else None


def counts(task: Task) -> tuple[int, int, int]:
    """Files in all, done, failed; a task without input has a pseudo file for each job."""
    if task.spec.get("inputs"):
        return task.inputs, task.inputs_done, task.inputs_failed
    whole = task.pieces
    if per_job := task.spec.get("events_per_job"):
        whole = max(whole, -(-int(task.spec.get("events", 0)) // int(per_job)))
    return whole, task.pieces_done, task.pieces_failed


def detailed(task: Task) -> dict[str, Any]:
    """A task with all that PanDA's clients look at."""
    files, done, failed = counts(task)
    return {
        "jediTaskID": task.pk,
        "reqID": task.request_id or task.pk,
        "taskName": f"{task.name}/",
        "status": status_of(task),
        "superStatus": super_of(task),
        "oldStatus": task.old_state or None,
        "userName": task.owner.get_username(),
        "vo": task.vo.name if task.vo else None,
        "workingGroup": task.working_group or None,
        "prodSourceLabel": task.prod_source_label,
        "processingType": task.processing_type,
        "taskType": "anal" if task.prod_source_label in ("user", "panda") else "prod",
        "taskPriority": task.priority,
        "currentPriority": task.priority,
        "campaign": task.campaign or None,
        "parent_tid": task.parent_id,
        "cloud": task.cloud.name if task.cloud else None,
        "site": task.site.name if task.site else None,
        "transPath": task.transformation,
        "transUses": task.spec.get("atlas_release") or None,
        "coreCount": task.spec.get("core_count", 1),
        "ramCount": task.spec.get("memory_mb", 0),
        "errorDialog": task.state_reason or None,
        "creationDate": date(task.created_at),
        "modificationTime": date(task.state_changed_at or task.created_at),
        "startTime": date(task.began_at),
        "endTime": date(task.ended_at),
        "nFiles": files,
        "nFilesFinished": done,
        "nFilesFailed": failed,
        "pctFinished": percent(done, files),
        "pctFailed": percent(failed, files),
        "statistics": f"tobedone*{files - done - failed},finished*{done},failed*{failed}",
    }


def percent(some: int, whole: int) -> int:
    """Rounded down: 100 is all."""
    return 100 * some // whole if whole else 0
