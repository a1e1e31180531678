"""A record of `logging`, ours or structlog's, as a line to keep: bounded, without secrets."""

from __future__ import annotations

import datetime as dt
import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from monitor.logger.kinds import kind_of
from pandasite.base.logging import mask_secrets, masked_text

LONGEST_EVENT = 500  # characters
LONGEST_FACT = 2000
MOST_FACTS = 40
LONGEST_TRACE = 8000
# What every record has, and what structlog adds that a line has elsewhere.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ELSEWHERE = frozenset(
    ("event", "level", "timestamp", "logger", "request_id", "exc_info", "exception", "stack")
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is stored; `facts` are fit for JSON."""

    at: dt.datetime
    kind: str
    level: int
    logger: str
    event: str
    facts: Mapping[str, Any]
    process: int
    request_id: str


def line_of(record: logging.LogRecord) -> Line:
    """The line for a record; made where it is logged, since its thread knows the request."""
    said = record.msg if isinstance(record.msg, dict) else None
    event = str(said.get("event", "")) if said is not None else record.getMessage()
    facts = dict(said) if said is not None else dict(vars(record))
    hidden = _ELSEWHERE if said is not None else _OWN
    bound = structlog.contextvars.get_contextvars()
    return Line(
        at=dt.datetime.fromtimestamp(record.created, dt.UTC),
        kind=kind_of(record.name),
        level=record.levelno,
        logger=record.name[:100],
        event=_clean(masked_text(event), LONGEST_EVENT),
        facts=_facts(facts, hidden) | _trace(record),
        process=record.process or 0,
        request_id=str((said or {}).get("request_id") or bound.get("request_id") or "")[:64],
    )


def _facts(given: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    shown = {str(k): v for k, v in given.items() if k not in hidden and not str(k).startswith("_")}
    masked = mask_secrets(None, "", dict(list(shown.items())[:MOST_FACTS]))
    return {_clean(name, 100): _fact(value) for name, value in masked.items()}


def _fact(value: Any) -> Any:
    """As it is where that is short, else its text, cut."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _clean(value, LONGEST_FACT)
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return _clean(str(value), LONGEST_FACT)
    return (
        value if len(text) <= LONGEST_FACT and "\\u0000" not in text else _clean(text, LONGEST_FACT)
    )


def _trace(record: logging.LogRecord) -> dict[str, str]:
    """The end of the traceback, which is where it went wrong."""
    found = record.exc_info
    if not isinstance(found, tuple) or found[0] is None:
        return {}
    text = masked_text("".join(traceback.format_exception(*found)))
    return {"traceback": _clean(text[-LONGEST_TRACE:], LONGEST_TRACE)}


def _clean(text: str, longest: int) -> str:
    """What PostgreSQL takes: no NUL, no half of a pair of surrogates."""
    text = text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= longest else text[: longest - 1] + "…"
