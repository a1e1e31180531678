"""Leftovers: what a pilot that died left in this work folder.

A report that was composed is handed in. A job that was not that far is left to the server, which
gives it a new attempt when the lease ends; what still runs of it here is ended first.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from pilot_client.deliver import deliver
from pilot_client.folder import Busy, JobFolder, remove
from pilot_client.launch import MARKER
from pilot_client.server import Server

log = logging.getLogger(__name__)

JOB_FOLDER = re.compile(r"\d+\.\d+")
# A folder without a state may be one that another pilot is making right now.
YOUNG_SECONDS = 3600.0


def settle(*, workdir: Path, server: Server, pause: Callable[[float], None]) -> None:
    """Settle all of them, one after the other; folders of living pilots are left alone."""
    for path in sorted(workdir.iterdir()):
        if JOB_FOLDER.fullmatch(path.name) and path.is_dir():
            settle_one(path, server=server, pause=pause)


def settle_one(path: Path, *, server: Server, pause: Callable[[float], None]) -> None:
    """Settle one folder."""
    try:
        folder = JobFolder.open(path)
    except Busy:
        return
    except ValueError as error:
        log.warning("leftover: %s", error)
        remove_if_old(path)
        return
    ended = end_processes(folder)
    report = folder.state.get("final")
    if isinstance(report, dict):
        log.info("leftover %s: handing in its final report", path.name)
        deliver(server=server, report=report, folder=folder, pause=pause)
    else:
        log.warning(
            "leftover %s: died in stage %s, %d processes killed, left to its lease",
            path.name,
            folder.state.get("stage"),
            ended,
        )
        folder.remove()


def remove_if_old(path: Path) -> None:
    """Remove a folder that cannot be in the making any more."""
    if time.time() - path.stat().st_mtime > YOUNG_SECONDS:
        remove(path)


def end_processes(folder: JobFolder) -> int:
    """Kill what still runs of this job, however often it forked; the number of processes."""
    payload = folder.state.get("payload")
    found = [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid()
        and (is_guard(process, payload) or is_marked(process, folder.path))
    ]
    for process in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(found, timeout=5)
    return len(found)


def is_guard(process: psutil.Process, payload: object) -> bool:
    """Whether it is the process that was started for the payload, and not a later namesake."""
    if not isinstance(payload, Mapping) or process.pid != payload.get("pid"):
        return False
    try:
        return abs(process.create_time() - float(payload.get("started", 0))) < 1.0
    except psutil.Error:
        return False


def is_marked(process: psutil.Process, folder: Path) -> bool:
    """Whether its environment says that it belongs to the job of this folder."""
    try:
        environment: Mapping[str, Any] = process.environ()
    except (psutil.Error, OSError):
        return False
    return environment.get(MARKER) == str(folder)
