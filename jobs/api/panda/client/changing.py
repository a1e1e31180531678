"""New parameters of a retry: those of prun that our engine may change in a task that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jobs.api.panda.prun.fields import Fields
from jobs.models import Task

# By prun's name: ours, and the largest value.
NUMBERS: Final[Mapping[str, tuple[str, int]]] = {
    "nFilesPerJob": ("files_per_job", 500),
    "nGBPerJob": ("gb_per_job", 100_000),
    "maxAttempt": ("max_attempts", 100),
    "coreCount": ("core_count", 100_000),
    "maxWalltime": ("wall_s", 10**8),
}
# pbook sends these along, and they change nothing.
IDLE: Final = frozenset({"ramCountUnit", "cliParams"})


def changes_of(given: Mapping[str, Any], task: Task, *, only_known: bool = True) -> dict[str, Any]:
    """Fields of a request; BadInput names what cannot be changed.

    `only_known`: all of `given` is meant as a change; else it is a whole set of parameters, of
    which what cannot change is let go.
    """
    fields = Fields(given)
    changes: dict[str, Any] = {}
    for theirs, (ours, most) in NUMBERS.items():
        if theirs in fields:
            changes[ours] = fields.whole(theirs, high=most)
    if "ramCount" in fields:
        cores = changes.get("core_count") or task.spec.get("core_count", 1)
        changes["memory_mb"] = fields.whole("ramCount", high=10**7) * cores
    if "site" in fields:
        changes["site"] = fields.text("site")
    if only_known:
        for name in sorted(given.keys() - NUMBERS.keys() - IDLE - {"ramCount", "site"}):
            fields.refuse(name, "cannot be changed in a task that there is", code="not_changeable")
    fields.check()
    return {name: value for name, value in changes.items() if value != task.spec.get(name)}
