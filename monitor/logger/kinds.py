"""What part of the system a logger speaks for, and which of its records are kept. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

KINDS = ("brokerage", "dispatch", "ddm", "bamboo", "server")
KIND_HELP = {
    "brokerage": "which jobs were placed where",
    "dispatch": "pilots and their jobs: what the watchdog moved, registrations that failed",
    "ddm": "files and transfers",
    "bamboo": "the exchange with the production database",
    "server": "all else: requests that failed, sweeps, the broker, the database",
}
LEVELS = ("INFO", "WARNING", "ERROR", "CRITICAL")
# Loggers by what they begin with; the longest one counts.
_KIND_OF = {
    "brokerage": "brokerage",
    "jobs.assign": "brokerage",
    "jobs.placing": "brokerage",
    "jobs": "dispatch",
    "jobs.activate": "ddm",
    "jobs.arrival": "ddm",
    "jobs.closing": "ddm",
    "jobs.api.ddm": "ddm",
    "jobs.register": "ddm",
    "jobs.booking": "ddm",
    "datasets": "ddm",
    "jobs.bamboo": "bamboo",
    "jobs.proddb": "bamboo",
}


def kind_of(logger: str) -> str:
    """One of KINDS.

    >>> kind_of("jobs.assign"), kind_of("jobs.watch"), kind_of("django.request")
    ('brokerage', 'dispatch', 'server')
    """
    parts = logger.split(".")
    for end in range(len(parts), 0, -1):
        if found := _KIND_OF.get(".".join(parts[:end])):
            return found
    return "server"


def is_kept(logger: str, level: int) -> bool:
    """Warnings and worse from everybody; what our own parts do from INFO on."""
    if level >= logging.WARNING:
        return True
    return level >= logging.INFO and kind_of(logger) != "server"


def is_routine(event: str, facts: Mapping[str, Any]) -> bool:
    """What only looks like a warning: a sweep that waited a whole round is left to the next one."""
    return event == "task_revoked" and facts.get("expired") is True
