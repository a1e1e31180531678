"""Lists that page by key: however long they are, a page costs the rows that it shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase

from monitor import sheets
from monitor.lists import ListPage
from monitor.params import Params
from monitor.sheets import Sheet
from pandasite.base.params import refuse

PARAMS = ("columns", "before", "format")
TEMPLATE = "monitor/catalogue/keyed.html"


def known(*names: str) -> tuple[str, ...]:
    """The parameters of such a list with these filters."""
    return (*names, *PARAMS)


def respond(
    request: HttpRequest,
    shown: ListPage,
    sheet: Sheet,
    *,
    params: Params,
    now: Any,
    behind: Any,
    more: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    template: str = TEMPLATE,
) -> HttpResponseBase:
    """A piece of a long list; `behind` continues it."""
    if shown.shown and params.values.get("format", "html") == "html":
        params.values.setdefault("columns", ",".join(shown.shown))
    kept = {k: v for k, v in request.GET.items() if v and k not in ("before", "format")}
    fields = {field.name for field in shown.fields}
    context = {
        "page": shown,
        "form_kept": [(k, v) for k, v in kept.items() if k not in fields],
        "next_url": f"?{urlencode({**kept, 'before': behind})}" if behind else "",
        **(more or {}),
    }
    told = {
        "ages": {age.title: age.at for age in shown.ages},
        "notes": [*shown.notes],
        "before": behind,
        **(facts or {}),
    }
    return sheets.respond(
        request, template, sheet, params=params, context=context, now=now, facts=told,
        name=shown.name,
    )  # fmt: skip


Moment = tuple[dt.datetime, int]


def cursor_of(at: dt.datetime, key: int) -> str:
    """What continues a list in the order of a time, behind that row."""
    return f"{at.isoformat().replace('+00:00', 'Z')},{key}"


def moment_of(text: str) -> Moment | None:
    """The row that a cursor names; None for ''. Raises BadInput."""
    if not text:
        return None
    at, _comma, key = text.rpartition(",")
    try:
        time = dt.datetime.fromisoformat(at)
        known = time.tzinfo is not None and 1970 <= time.year < 2200
        good = known and key.isascii() and key.isdigit() and len(key) < 19
    except ValueError:
        good = False
    if not good:
        raise refuse("before", text, "the `before` of the page in front of it", code="bad_cursor")
    return time, int(key)
