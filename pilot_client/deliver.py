"""Deliver: a final report to the server, then the job's folder to nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pilot_client.control import Stopping
from pilot_client.errors import PilotEnds
from pilot_client.folder import JobFolder
from pilot_client.report import HandIn, hand_in, without_details
from pilot_client.server import Server

log = logging.getLogger(__name__)


def deliver(
    *,
    server: Server,
    report: Mapping[str, Any],
    folder: JobFolder | None,
    pause: Callable[[float], None],
) -> None:
    """Hand it in and clean up. If that is cut short the folder stays, for the next start."""
    try:
        if hand_in(server=server, report=report, pause=pause) is HandIn.REFUSED:
            hand_in(server=server, report=without_details(report), pause=pause)
    except (Stopping, PilotEnds):
        if folder is not None:
            log.warning("the report of job %s is kept for the next start", folder.path.name)
            folder.release()
        raise
    if folder is not None and not folder.remove():
        log.warning("job folder %s could not be removed whole", folder.path)
