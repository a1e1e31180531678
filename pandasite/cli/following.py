"""Watching a task until it ends: a bar at a terminal, a line for each news elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pandasite.cli import show
from pandasite.cli.door import Door
from pandasite.cli.errors import EndedBadly, Unreachable

rest: Callable[[float], None] = time.sleep  # tests let the task go on meanwhile
WELL = "done"
ENDS = (WELL, "finished", "failed", "aborted", "broken", "exhausted")
PATIENCE = 300.0  # s for which a server may be away meanwhile
WHY = {
    "finished": "only a part of it succeeded: `pandasite task retry` tries the rest again",
    "exhausted": "all scouts failed: look at their jobs, then `pandasite task retry` or kill it",
}


def follow(door: Door, task_id: int, *, every: float) -> dict[str, Any]:
    """The task when it has ended; EndedBadly when not all of it succeeded."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        console=show.aside(),
    )
    live = show.aside().is_terminal
    last = ""
    task: dict[str, Any] = {}
    try:
        with bar if live else nullcontext():
            row = bar.add_task("", total=None, words="")
            for task in looks(door, f"tasks/{task_id}", every=every, over=_is_over):
                words = f"{task['state'] or 'grouping'}: {words_of(task)}"
                if live:
                    _draw(bar, row, task)
                elif words != last:
                    show.note(words)
                last = words
    except KeyboardInterrupt:
        show.note(f"task {task_id} goes on: `pandasite task show {task_id} --follow`")
        raise
    return _judged(task)


def looks(
    door: Door, path: str, *, every: float, over: Callable[[dict[str, Any]], bool]
) -> Iterator[dict[str, Any]]:
    """It again and again, until it is over or the server has been away for too long."""
    away = 0.0
    while True:
        try:
            found = door.get(path)
        except Unreachable:
            away += max(every, 1.0)
            if away > PATIENCE:
                raise
            show.note("the server is away: waiting for it")
        else:
            away = 0.0
            yield found
            if over(found):
                return
        rest(every)


def _is_over(task: dict[str, Any]) -> bool:
    return task["state"] is None or task["state"] in ENDS


def _draw(bar: Progress, row: TaskID, task: dict[str, Any]) -> None:
    what, done, total = measure(task["progress"])
    words = words_of(task)
    bar.update(
        row,
        description=f"{task['task_id']} {show.clean(task['state'])}",
        completed=done,
        total=total or None,
        words=words or what,
    )


def measure(progress: dict[str, Any]) -> tuple[str, int, int]:
    """What a task is counted in, how much of it is done, and of how much."""
    for what in ("input_files", "events", "pieces"):
        if progress[what]:
            return what.replace("_", " "), progress[f"{what}_done"], progress[what]
    return "", 0, 0


def words_of(task: dict[str, Any]) -> str:
    """`300/1000 events, 3 of 10 jobs' work, 1 failed, 5 min left`."""
    progress = task["progress"]
    what, done, total = measure(progress)
    more = "+" if progress["input_open"] and what == "input files" else ""
    told = [f"{done:,}/{total:,}{more} {what}"] if what else []
    if progress["pieces"] and what != "pieces":
        told.append(f"{progress['pieces_done']:,} of {progress['pieces']:,} pieces of work")
    if progress["merges"]:
        told.append(f"{progress['merges_done']:,} of {progress['merges']:,} merges")
    if failed := progress["pieces_failed"] + progress["merges_failed"]:
        told.append(f"{failed:,} failed")
    if progress["eta_seconds"] is not None and task["state"] not in ENDS:
        told.append(f"{show.span(progress['eta_seconds'])} left")
    return ", ".join(told) or show.clean(task.get("waits_for") or task["reason"])


def _judged(task: dict[str, Any]) -> dict[str, Any]:
    state = task["state"]
    if state == WELL:
        return task
    if state is None:
        raise EndedBadly(f"task {task['task_id']} only groups jobs: nothing carries it")
    reason = show.clean(task["reason"]) or "no reason is given"
    why = WHY.get(state)
    raise EndedBadly(f"task {task['task_id']} is {state}: {reason}", lines=[why] if why else [])
