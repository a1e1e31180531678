"""Task and job requests: out of a file, or made of options with sensible defaults."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from pandasite.cli.errors import Wrong

LARGEST = 16 * 1024 * 1024  # bytes: what the server takes
JOBS = 10  # that the events of a task are cut into, when nothing else is said
WITHOUT_INPUT = "--events ${MAXEVENTS} --seed ${N} --output ${OUTPUT0}"
WITH_INPUT = "--input ${INPUTS} --output ${OUTPUT0}"


def read(file: Path, *, key: str) -> list[dict[str, Any]]:
    """The requests of a JSON or TOML file, or of a pipe (`-`): one, a list, or {key: list}."""
    found = _parsed(file)
    if isinstance(found, dict) and key in found:
        found = found[key]
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not found or not all(isinstance(x, dict) for x in found):
        words = f"{file} must hold an object, a list of them, or {{{key!r}: [...]}}"
        raise Wrong(words.replace("'", '"'))
    return found


def _parsed(file: Path) -> Any:
    try:
        raw = sys.stdin.buffer.read(LARGEST + 1) if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Wrong(f"{file} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise Wrong(f"{file} has more than {LARGEST:,} bytes: hand it over in parts")
    toml = file.suffix == ".toml"
    try:
        return tomllib.loads(raw.decode()) if toml else json.loads(raw)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if toml else "JSON (TOML needs a name that ends in .toml)"
        raise Wrong(f"{file} is no {kind}: {error}") from error


def task_of(said: Mapping[str, Any], *, me: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    """The request that options describe; what they leave open is chosen such that it can run.

    `said` has the fields of a task, None where an option was not given, and `output`, the name of
    the output dataset, and `suffix`, that of the output's files.
    """
    fields = {name: value for name, value in said.items() if value not in (None, [], ())}
    output, suffix = fields.pop("output", ""), fields.pop("suffix", "")
    if not fields.get("transformation") and not fields.get("tag"):
        raise Wrong(_what_to_run(me))
    user = me["username"]
    fields.setdefault("name", _name(user, fields, now))
    fields.setdefault("vo", _vo(me))
    _spread(fields)
    if not fields.get("tag"):
        plain = WITH_INPUT if fields.get("inputs") else WITHOUT_INPUT
        fields.setdefault("job_parameters", plain)
    stem = fields["name"]
    one = {
        "dataset": output or f"{stem}.OUT",
        "scope": f"user.{user}",
        "lfn": f"{stem[:150]}.${{TASKID}}._${{SN}}{suffix}",
    }
    return fields | {"outputs": [one]}


def _name(user: str, fields: Mapping[str, Any], now: dt.datetime) -> str:
    """Nobody else's, and no older task's."""
    what = PurePath(str(fields.get("transformation") or fields.get("tag"))).stem
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", what).strip("_") or "task"
    return f"user.{user}.{plain}.{now:%Y%m%d-%H%M%S}"


def _vo(me: Mapping[str, Any]) -> str:
    if not me["vo"]:
        raise Wrong("the server knows no VO yet: an administrator makes one in the admin")
    return str(me["vo"])


def _spread(fields: dict[str, Any]) -> None:
    """A task without input needs to know how many events, and how many of them a job makes."""
    if fields.get("inputs"):
        return
    if not fields.get("events"):
        raise Wrong("say --events N, or --input DATASET for a task that reads one")
    fields.setdefault("events_per_job", max(1, math.ceil(fields["events"] / JOBS)))


def _what_to_run(me: Mapping[str, Any]) -> str:
    known = ", ".join(me["transformations"][:20])
    told = f": the server knows {known}" if known else ""
    return f"say --transformation NAME or --tag NAME{told}; or name a file with the request"
