"""The log: what happened, by type and level."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase

from monitor import lists, sheets
from monitor.lists import Field
from monitor.logger import events
from monitor.logger.events import DEFAULT_HOURS, FILTERS, EventSheet
from monitor.logger.kinds import KIND_HELP, KINDS, LEVELS
from monitor.pages import page
from monitor.params import Params
from pandasite.base.clock import database_now

SPANS = [("1h", "1 h"), ("12h", "12 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d")]


@page
def logger(request: HttpRequest) -> HttpResponseBase:
    """A page of the log, newest first."""
    params = Params(request.GET, known=(*FILTERS, "columns", "format"))
    now = database_now()
    found = events.read(params, now=now)
    given = {name: params.values[name] for name in FILTERS if name in params.values}
    first = {name: value for name, value in given.items() if name != "before"}
    context: dict[str, Any] = {
        "fields": _fields(params),
        "form_kept": [(k, v) for k, v in params.values.items() if k == "columns"],
        "levels": LEVELS,
        "table": [
            (kind, KIND_HELP[kind], [(n, _url(first, kind, level)) for level, n in row])
            for kind, row in found.table
        ],
        "first_url": "?" + urlencode(first) if "before" in given else "",
        "next_url": "?" + urlencode(first | {"before": found.before}) if found.before else "",
    }
    numbers = {kind: dict(row) for kind, row in found.table}
    return sheets.respond(
        request,
        "monitor/logger/logger.html",
        EventSheet(found.lines),
        params=params,
        context=context,
        now=now,
        facts={"numbers": numbers, "before": found.before},
    )


def _url(given: dict[str, str], kind: str, level: str) -> str:
    return "?" + urlencode(given | {"kind": kind, "level": level})


def _fields(params: Params) -> list[Field]:
    given = params.text
    window = params.values.get("window", f"{DEFAULT_HOURS}h")
    return [
        Field(name="kind", title="Type", value=given("kind"), options=lists.words(KINDS)),
        Field(
            name="level",
            title="Level",
            value=given("level"),
            options=[(level, f"{level} and above") for level in LEVELS],
        ),
        Field(name="event", title="Event has", value=given("event")),
        Field(name="logger", title="Logger begins", value=given("logger")),
        Field(name="host", title="Host", value=given("host")),
        Field(name="request", title="Request", value=given("request")),
        Field(name="window", title="Window", value=window, options=SPANS, any=""),
    ]
