"""Node facts: what this worker node offers, measured where the caller does not say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from pilot_client.config import Config

MEGABYTE = 1024 * 1024
MAX_RELEASES = 1000
MAX_NAME = 64


def gather(config: Config) -> dict[str, Any]:
    """The body of a claim: CPU in MHz, memory and disk in MB."""
    facts: dict[str, Any] = {
        "site": config.site,
        "node": config.node,
        "pilot_id": config.pilot_id,
        "cpu_speed_mhz": config.cpu_speed_mhz or cpu_speed_mhz(),
        "memory_mb": config.memory_mb or memory_mb(),
        "free_disk_mb": free_disk_mb(config.workdir),
        "core_count": config.cores or usable_cores(),
        "releases": list(releases(config.software))[:MAX_RELEASES],
        "labels": list(config.labels),
    }
    if config.factory:
        facts["factory"] = config.factory
    return facts


def cpu_speed_mhz() -> int:
    """The highest clock of the CPU, the present one where that is unknown, else 0."""
    frequency = psutil.cpu_freq()
    return int(frequency.max or frequency.current) if frequency else 0


def memory_mb() -> int:
    """All memory of the node: a pilot with a slot of it is told by --memory."""
    return int(psutil.virtual_memory().total) // MEGABYTE


def free_disk_mb(folder: Path) -> int:
    """What this user may still write there."""
    return int(psutil.disk_usage(str(folder)).free) // MEGABYTE


def usable_cores() -> int:
    """The cores that the batch system lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def releases(software: Path) -> Iterator[dict[str, str]]:
    """What is installed: `<software>/<AtlasRelease>/<cmtConfig>/`, hidden folders left out."""
    for release in folders(software):
        for platform in folders(release):
            yield {"release": release.name, "cmt_config": platform.name}


def folders(parent: Path) -> list[Path]:
    """The visible folders with a name the server takes, sorted; none if it cannot be read."""
    try:
        return sorted(
            path
            for path in parent.iterdir()
            if path.name[0] != "." and len(path.name) <= MAX_NAME and path.is_dir()
        )
    except OSError:
        return []
