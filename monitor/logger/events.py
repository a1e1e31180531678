"""The list of log lines, newest first, and their numbers by kind and level."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet

from monitor import columns
from monitor.logger.kinds import KINDS, LEVELS
from monitor.models import LogEvent
from monitor.params import Params
from monitor.sheets import ROWS, Sheet, column
from monitor.words import window_start
from pandasite.base.errors import NotThere

FILTERS = ("kind", "level", "logger", "event", "host", "request", "window", "before")
FILE_ROWS = 1000  # of a page as CSV or JSON
DEFAULT_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the list."""

    row: LogEvent

    at = property(lambda self: self.row.at)
    kind = property(lambda self: self.row.kind)
    level = property(lambda self: logging.getLevelName(self.row.level).lower())
    logger = property(lambda self: self.row.logger)
    event = property(lambda self: self.row.event)
    host = property(lambda self: self.row.host)
    process = property(lambda self: self.row.process)
    request = property(lambda self: self.row.request_id)

    @property
    def facts(self) -> str:
        """The fields of the line, `name: value`."""
        return ", ".join(f"{name}: {_words(value)}" for name, value in self.row.facts.items())

    @property
    def request_url(self) -> str:
        """All lines of the request."""
        return "?" + urlencode({"request": self.request, "window": "30d"})


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class EventSheet(Sheet):
    """Log lines. Their order is that of their numbers: nothing else can be paged by."""

    at = column("Time (UTC)", "when it was logged", kind=columns.SecondColumn)
    level = column("Level", "how grave", kind=columns.WordColumn, start="word word-")
    kind = column("Type", "what part of the system it is about")
    event = column("Event", "what happened", look="wrap")
    facts = column("Facts", "fields of the line; secrets are masked", look="wrap")
    logger = column("Logger", "module that speaks")
    host = column("Host", "where it runs")
    process = column("Process", "its number there", look="n")
    request = columns.link(
        "Request", "id of the request; all its lines", url=lambda record: record.request_url
    )

    class Meta(Sheet.Meta):
        orderable = False
        empty_text = "Nothing was logged that fits. Take a filter away, or choose a longer window."


@dataclass(frozen=True, kw_only=True)
class Found:
    """A page of the list; `before` continues it."""

    lines: Sequence[Line]
    before: int | None
    numbers: Mapping[tuple[str, str], int]  # by kind and level, of the window and all filters

    @property
    def table(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """Kinds with (level, number) of each level."""
        return [
            (kind, [(level, self.numbers.get((kind, level), 0)) for level in LEVELS])
            for kind in KINDS
        ]


def read(params: Params, *, now: dt.datetime) -> Found:
    """The page that the address asks for; NotThere behind the end of the list."""
    within = LogEvent.objects.filter(at__gte=_since(params, now))
    wanted = within.filter(_wanted(params))
    before = params.number("before", low=1, high=2**63 - 1)
    page = wanted.filter(pk__lt=before) if before else wanted
    rows = FILE_ROWS if params.values.get("format") in ("csv", "json") else ROWS
    found = list(page.order_by("-pk")[: rows + 1])
    if before and not found:
        raise NotThere(f"the log has nothing before line {before}: that was its end")
    shown = found[:rows]
    numbers = _numbers(within.filter(_wanted(params, without=("kind", "level"))))
    return Found(
        lines=[Line(row=row) for row in shown],
        before=shown[-1].pk if len(found) > rows else None,
        numbers=numbers,
    )


def _since(params: Params, now: dt.datetime) -> dt.datetime:
    return window_start(now, params.hours("window") or DEFAULT_HOURS)


def _wanted(params: Params, *, without: Sequence[str] = ()) -> Q:
    wanted = Q()
    if "kind" not in without and (kind := params.choice("kind", KINDS)):
        wanted &= Q(kind=kind)
    if "level" not in without and (level := params.choice("level", LEVELS)):
        wanted &= Q(level__gte=getattr(logging, level))
    texts = {
        "logger__startswith": params.text("logger"),
        "event__icontains": params.text("event"),
        "host": params.text("host"),
        "request_id": params.text("request"),
    }
    return wanted & Q(**{name: text for name, text in texts.items() if text})


def _numbers(lines: QuerySet[LogEvent]) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for row in lines.order_by().values("kind", "level").annotate(n=Count("pk")):
        found[row["kind"], _level(row["level"])] += row["n"]
    return found


def _level(number: int) -> str:
    """The level that it is at least; CRITICAL at most."""
    return next((name for name in reversed(LEVELS) if number >= getattr(logging, name)), LEVELS[0])
