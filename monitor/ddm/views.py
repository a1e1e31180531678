"""The DDM dashboard: each page parses its scope, reads sums in one snapshot and answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse

from datasets.models import StorageElement
from monitor import lists, menu, pages, sheets
from monitor.catalogue import keyed
from monitor.ddm import failures, history, matrix, scope
from monitor.ddm import space as spaces
from monitor.ddm import stuck as waits
from monitor.ddm.failures import ErrorSheet
from monitor.ddm.scope import Scope
from monitor.ddm.space import SpaceSheet
from monitor.ddm.stuck import StuckSheet
from monitor.lists import Age, Field, ListPage, chosen
from monitor.pages import page
from monitor.params import Params
from pandasite.base.clock import database_now

REASONS_SHOWN = 12


def _ages() -> list[Age]:
    return [lists.sweep_age("transfers added up", "datasets.sum_transfers")]


@page
def ddm(request: HttpRequest) -> HttpResponseBase:
    """Links as a matrix, errors by reason, plots; CSV has a line for each link."""
    now = database_now()
    asked, params = scope.parse(request.GET, now=now, more=("format",))
    form = params.choice("format", sheets.FORMATS, default="html")
    found = matrix.read(asked)
    if form == "csv":
        return sheets.csv_response(found.as_rows(), name="ddm")
    reasons, ages = failures.by_reason(asked), _ages()
    context = {
        "scope": asked,
        "fields": scope.fields(asked),
        "ages": ages,
        "matrix": found,
        "all": found.all,
        "reasons": reasons[:REASONS_SHOWN],
        "more_reasons": max(0, len(reasons) - REASONS_SHOWN),
        "plots": _plots(asked),
        "chips": _chips(asked),
        "levels": [(level, asked.query(by=level), level == asked.by) for level in scope.LEVELS],
        "windows": [
            (words, asked.query(window=key), key == asked.window)
            for key, words in scope.WINDOWS.items()
        ],
        "csv_url": _with(request, format="csv"),
        "json_url": _with(request, format="json"),
        "errors_url": asked.url("monitor:ddm_errors"),
        "stuck_url": asked.url("monitor:ddm_stuck"),
        "wishes_url": menu.address("monitor:subscriptions", first="oldest"),
    }
    data = {
        **asked.as_json(),
        "ages": {age.title: age.at for age in ages},
        "all": found.all.as_json(),
        "links": found.as_rows(),
        "reasons": [one.as_json() for one in reasons],
    }
    return pages.respond(request, "monitor/ddm/ddm.html", data=data, context=context, now=now)


def _with(request: HttpRequest, **changes: str) -> str:
    query = request.GET.copy()
    for name, value in changes.items():
        query[name] = value
    return f"?{query.urlencode()}"


def _plots(asked: Scope) -> list[dict[str, str]]:
    found = []
    for what, (title, _unit, kind) in history.WHATS.items():
        src = asked.url("monitor:ddm_plot", what=what)
        found.append({"kind": kind, "title": title, "src": src, "csv": f"{src}&format=csv"})
    return found


def _chips(asked: Scope) -> list[tuple[str, str]]:
    """What narrows the page, and the address without it."""
    given = {
        "from": ("source", asked.source.text),
        "to": ("destination", asked.destination.text),
        "activity": ("activity", asked.activity),
        "VO": ("vo", asked.vo),
    }
    return [
        (f"{title}: {text}", asked.query(**{name: ""}))
        for title, (name, text) in given.items()
        if text
    ]


@page
def errors(request: HttpRequest) -> HttpResponseBase:
    """Failures by reason and link."""
    now = database_now()
    asked, params = scope.parse(request.GET, now=now, more=("reason", *sheets.PARAMS))
    reason = params.text("reason", longest=32)
    shown = ListPage(
        name="ddm_errors",
        title="Transfer errors",
        intro="Transfers that were given up within the window, and those that failed and are tried"
        " again, by the reason and the link.",
        fields=[*scope.fields(asked), Field(name="reason", title="Reason", value=reason)],
        ages=_ages(),
        links=[("DDM dashboard", asked.url("monitor:ddm"))],
    )
    rows = failures.by_link(asked, reason=reason)
    facts = {**asked.as_json(), "reason": reason}
    return lists.respond(request, shown, ErrorSheet(rows), params=params, now=now, facts=facts)


@page
def stuck(request: HttpRequest) -> HttpResponseBase:
    """Transfers that have waited longest."""
    now = database_now()
    more = ("hours", "reason", *keyed.PARAMS)
    asked, params = scope.parse(request.GET, now=now, more=more)
    given = params.number("hours", low=0, high=8760)
    hours = waits.STUCK_HOURS if given is None else given
    found = waits.read(asked, params, hours=hours)
    shown = ListPage(
        name="ddm_stuck",
        title="Transfers that wait",
        intro=f"Transfers that were asked for more than {hours} hours ago and have not ended.",
        fields=[
            *(one for one in scope.fields(asked) if one.name not in ("window", "by")),
            Field(name="hours", title="Hours", value=str(hours)),
            Field(name="reason", title="Reason", value=params.text("reason")),
        ],
        links=[("DDM dashboard", reverse("monitor:ddm"))],
    )
    sheet = StuckSheet(found.transfers)
    return keyed.respond(request, shown, sheet, params=params, now=now, behind=found.behind)


@page
def plot(request: HttpRequest) -> HttpResponseBase:
    """The data of one plot over time."""
    now = database_now()
    asked, params = scope.parse(request.GET, now=now, more=("what", "format"))
    what = params.choice("what", history.WHATS, default="throughput")
    return _drawn(params, history.draw(asked, what), name=what, facts=asked.as_json())


@page
def space_plot(request: HttpRequest) -> HttpResponseBase:
    """The history of space."""
    params, now = Params(request.GET, known=("storage", "days", "format")), database_now()
    storage, days = _space(params)
    drawn = history.space(storage, days=int(days), now=now)
    return _drawn(params, drawn, name="space", facts={"storage": params.text("storage")})


def _drawn(
    params: Params, plot: history.Plot, *, name: str, facts: dict[str, Any]
) -> HttpResponseBase:
    if params.choice("format", ("json", "csv"), default="json") == "csv":
        return sheets.csv_response(plot.as_rows(), name=name)
    return JsonResponse({**facts, **plot.as_json()})


def _space(params: Params) -> tuple[StorageElement | None, str]:
    days = params.choice("days", history.SPACE_DAYS, default="30")
    return chosen(params, "storage", StorageElement), days


@page
def space(request: HttpRequest) -> HttpResponseBase:
    """Storage elements with their space, and how it was."""
    params, now = Params(request.GET, known=lists.known("storage", "days")), database_now()
    storage, days = _space(params)
    name = storage.name if storage else ""
    query = f"?days={days}" + (f"&storage={name}" if name else "")
    links = [("DDM dashboard", reverse("monitor:ddm"))]
    if name and (own := menu.place("monitor:storage", name)):
        links.append((f"Page of {name}", own))
    shown = ListPage(
        name="ddm_space",
        title="Space",
        intro="Storage elements: how full they are, and were.",
        fields=[
            Field(name="storage", title="Storage", value=name, known=lists.names(StorageElement)),
            Field(
                name="days",
                title="History",
                value=days,
                options=[*history.SPACE_DAYS.items()],
                any="",
            ),
        ],
        ages=[
            lists.sweep_age("space measured", "datasets.measure_storage"),
            lists.sweep_age("sample kept", "datasets.sample_space"),
        ],
        links=links,
        plot=reverse("monitor:ddm_space_plot") + query,
        plot_title=f"Used and free: {name or 'all storage elements'}",
    )
    rows = [one for one in spaces.read(days=days) if not name or one.storage == name]
    return lists.respond(request, shown, SpaceSheet(rows), params=params, now=now)
