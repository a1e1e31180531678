"""Whether an alert has something to tell of a task. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from jobs.tasks_engine.states import FINAL, TaskState
from monitor.alerts.models import Alert
from monitor.words import plural

FEW_JOBS = 5  # ended; of fewer a share says little
OVER = frozenset(
    {*FINAL, "partly", "cancelled"}
)  # the engine's states, and those that are made of jobs
AT_REST = frozenset({TaskState.PAUSED, "new"})  # nobody expects a change


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a task stands: its state, its jobs, and when something last changed."""

    task_id: int
    state: str
    finished: int
    failed: int
    waiting: int
    changed: dt.datetime

    @property
    def failed_percent(self) -> float:
        """failed / (finished + failed)"""
        ended = self.finished + self.failed
        return 100 * self.failed / ended if ended else 0.0


def told(alert: Alert, task: Standing, *, now: dt.datetime) -> str:
    """The sentence, or nothing. What was over before somebody asked is no news."""
    over = task.state in OVER
    if over and task.changed < alert.created_at:
        return ""
    jobs = f"{plural(task.finished, 'job')} finished, {task.failed:,} failed"
    if alert.rule == Alert.Rule.ENDED:
        return f"ended: {task.state}; {jobs}" if over else ""
    if alert.rule == Alert.Rule.FAILS:
        enough = task.finished + task.failed >= FEW_JOBS
        if enough and task.failed_percent > alert.level:
            return f"{task.failed_percent:.0f} % failed, more than {alert.level} %: {jobs}"
        return ""
    hours = (now - task.changed).total_seconds() / 3600
    if over or task.state in AT_REST or hours < alert.level:
        return ""
    return (
        f"nothing changed for {hours:.0f} h: {task.state}, {plural(task.waiting, 'job')} under way"
    )
