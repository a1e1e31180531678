"""Tape behind an XRootD server: `prepare` asks for files, `query prepare` tells how far they are.

A server with a tape (CTA, dCache, or XRootD itself with a program for it) says of a file that is on
tape only that it is offline. Many answer `query prepare` by JSON, as CTA does; where one does not,
a file is staged as soon as it is no longer offline, and what went wrong is not known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datasets.storage.base import (
    FileMissing,
    NotStaged,
    SourceError,
    Stage,
    StorageError,
    checked,
)
from datasets.storage.xroot_client import is_away, patience

if TYPE_CHECKING:
    from datasets.storage.xroot import XRootDPlace

# The client's own constants (XRootD.client.flags), which is imported where it is needed.
PREPARE_STAGE, QUERY_PREPARE, IS_OFFLINE = 8, 2, 8


def is_offline(place: XRootDPlace, path: str) -> bool:
    """Whether the file is on tape only. FileMissing where there is none."""
    what = f"cannot look at {place.address}"
    found = place.ask("stat", checked(path), what=what)
    if found is None:
        raise FileMissing(f"{what}: no such file")
    return bool(found.flags & IS_OFFLINE)


def check_staged(place: XRootDPlace, path: str) -> None:
    """SourceError when the file cannot be read now: NotStaged when it is on tape only.

    One that is not there is not even opened: some servers go and look for it, for long.
    """
    try:
        offline = is_offline(place, path)
    except FileMissing as error:
        kind = FileMissing if place.answers(path) else SourceError
        raise kind(str(error)) from error
    except StorageError as error:
        raise SourceError(str(error)) from error
    if offline:
        raise NotStaged(f"{path} is on tape at {place.address}, not staged")


def ask(place: XRootDPlace, paths: Sequence[str]) -> str:
    """Ask for files; how the server calls the request."""
    what = f"cannot stage at {place.address}"
    full = [place.door.path(checked(path)) + place.door.told for path in paths]
    status, said = place.system(what).prepare(full, PREPARE_STAGE, timeout=patience())
    if not status.ok:
        place.refuse(what, status)
    return said.rstrip(b"\0\n ").decode("ascii", "replace")[:255] if said else ""


def look(place: XRootDPlace, paths: Sequence[str], *, ticket: str) -> dict[str, tuple[Stage, str]]:
    """How far files are, by what the server says of the request, or else of each file."""
    told = _query(place, paths, ticket=ticket) if ticket else {}
    found = {}
    for path in paths:
        facts = told.get(place.door.path(path))
        found[path] = _by_stat(place, path) if facts is None else _by_facts(place, path, facts)
    return found


def _query(place: XRootDPlace, paths: Sequence[str], *, ticket: str) -> dict[str, dict[str, Any]]:
    """What the server says, by path; nothing where it says nothing of that kind."""
    what = f"cannot look at {place.address}"
    lines = "\n".join([ticket, *(place.door.path(checked(path)) for path in paths)])
    status, said = place.system(what).query(QUERY_PREPARE, lines, timeout=patience())
    if is_away(status):
        place.refuse(what, status)
    try:
        answers = json.loads(said.rstrip(b"\0\n ")) if status.ok and said else {}
        return {one["path"]: one for one in answers.get("responses", [])}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _by_facts(place: XRootDPlace, path: str, facts: dict[str, Any]) -> tuple[Stage, str]:
    if facts.get("online"):
        return Stage.STAGED, ""
    why = str(facts.get("error_text") or "")[:300]
    if not why and facts.get("path_exists") is False:
        why = "no such file"
    if not why and facts.get("requested") is False:
        why = "the server does not know of the request any more"
    return (Stage.FAILED, _sentence(place, path, why)) if why else (Stage.REQUESTED, "")


def _by_stat(place: XRootDPlace, path: str) -> tuple[Stage, str]:
    try:
        return (Stage.REQUESTED if is_offline(place, path) else Stage.STAGED), ""
    except FileMissing:
        return Stage.FAILED, _sentence(place, path, "no such file")


def _sentence(place: XRootDPlace, path: str, why: str) -> str:
    name = path.rpartition("/")[2]
    return f"{name} could not be staged at {place.address}: {why}"
