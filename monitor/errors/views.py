"""The pages of errors: each parses its scope, reads its facts in one snapshot and answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase

from brokerage.models import Site
from jobs import ends
from jobs.retry import MOST, retriable
from monitor import pages, sheets
from monitor.errors import clusters, places
from monitor.errors import matrix as matrices
from monitor.errors import scope as scopes
from monitor.errors import summary as summaries
from monitor.errors.frame import frame
from monitor.pages import page
from pandasite.base.clock import database_now
from pandasite.base.errors import NotThere

PLAIN = ("html", "json")


@page
def summary(request: HttpRequest) -> HttpResponseBase:
    """What failed, what it cost, and which error it was."""
    now = database_now()
    more = ("meanings", *sheets.PARAMS)
    scope, params = scopes.parse(request.GET, now=now, more=more)
    source = params.choice("meanings", summaries.MEANINGS)
    found = summaries.read(scope, source=source)
    context = {
        **frame(scope, "monitor:errors"),
        "page": found,
        "meanings": [(name, _with(request, meanings=name)) for name in summaries.MEANINGS],
        "source": source,
    }
    return sheets.respond(
        request,
        "monitor/errors/errors.html",
        summaries.ErrorSheet(found.lines),
        params=params,
        context=context,
        now=now,
        facts={**scope.as_json(), **found.as_json()},
    )


def _settable(sites: list[Site], user: Any) -> list[Site]:
    """Those that are online, and that the visitor may set offline."""
    online = [site for site in sites if site.status == Site.Status.ONLINE]
    return [site for site in online if user.has_perm("brokerage.set_site_status", site)]


def _with(request: HttpRequest, **changes: str) -> str:
    query = request.GET.copy()
    for name, value in changes.items():
        query[name] = value
    return f"?{query.urlencode()}"


@page
def messages(request: HttpRequest) -> HttpResponseBase:
    """What the latest failures say, put together."""
    now = database_now()
    scope, params = scopes.parse(request.GET, now=now, more=sheets.PARAMS)
    found = clusters.read(scope)
    rows = [clusters.row(cluster, scope) for cluster in found.clusters]
    return sheets.respond(
        request,
        "monitor/errors/messages.html",
        clusters.ClusterSheet(rows),
        params=params,
        context={**frame(scope, "monitor:errors_messages"), "page": found, "most": clusters.READ},
        now=now,
        facts={**scope.as_json(), **found.as_json()},
    )


@page
def cluster(request: HttpRequest, key: str) -> HttpResponseBase:
    """Failures that say the same, and what to do about them."""
    now = database_now()
    scope, params = scopes.parse(request.GET, now=now, more=("format",))
    params.choice("format", PLAIN)
    found = clusters.one(scope, key)
    again = retriable(found.panda_ids[:MOST])
    sites = [site for site in scope.sites.values() if site.name in dict(found.sites)]
    context = {
        **frame(scope, "monitor:errors_cluster", args=[key]),
        "cluster": found,
        "shown": found.failures[:100],
        "facts": [(title, found.by(name)[:20]) for name, title in FACTS],
        "again": again,
        "left_out": min(found.count, MOST) - len(again),
        "most": MOST,
        "online": _settable(sites, request.user),
    }
    data = {**scope.as_json(), **found.as_json(), "retriable": again}
    return pages.respond(
        request, "monitor/errors/cluster.html", data=data, context=context, now=now
    )


FACTS = (("site", "Site"), ("node", "Node"), ("workflow", "Workflow"), ("user", "User"))


@page
def matrix(request: HttpRequest) -> HttpResponseBase:
    """Workflow x site x code, two of them at a time."""
    now = database_now()
    more = ("by", "workflow", "format")
    scope, params = scopes.parse(
        request.GET, now=now, more=more, without=("ce",), days=ends.DAYS_KEPT
    )
    form = params.choice("format", sheets.FORMATS, default="html")
    by = params.choice("by", matrices.SIDES, default="workflow-site")
    workflow = params.text("workflow", longest=330)
    found = matrices.read(scope, by=by, workflow=workflow)
    if form == "csv":
        return sheets.csv_response(found.as_rows(), name="errors-matrix")
    context = {
        **frame(scope, "monitor:errors_matrix", without=("ce",)),
        "matrix": found,
        "workflow": workflow,
        "kinds_of_matrix": [
            (one.replace("-", " by "), _with(request, by=one), one == by) for one in matrices.SIDES
        ],
        "without_workflow": _with(request, workflow=""),
        "csv_url": _with(request, format="csv"),
        "json_url": _with(request, format="json"),
    }
    data = {**scope.as_json(), **found.as_json()}
    return pages.respond(request, "monitor/errors/matrix.html", data=data, context=context, now=now)


@page
def sites(request: HttpRequest) -> HttpResponseBase:
    """Failures by site and computing element."""
    now = database_now()
    scope, params = scopes.parse(request.GET, now=now, more=sheets.PARAMS)
    return sheets.respond(
        request,
        "monitor/errors/sites.html",
        places.PlaceSheet(places.read(scope)),
        params=params,
        context=frame(scope, "monitor:errors_sites"),
        now=now,
        facts=scope.as_json(),
    )


@page
def grids(request: HttpRequest) -> HttpResponseBase:
    """Each grid flavour in a line."""
    now = database_now()
    scope, params = scopes.parse(request.GET, now=now, more=("format",))
    form = params.choice("format", sheets.FORMATS, default="html")
    found = places.grids(scope)
    if form == "csv":
        return sheets.csv_response([_flat(grid.as_json()) for grid in found], name="grids")
    context = {
        **frame(scope, "monitor:errors_grids"),
        "grids": found,
        "csv_url": _with(request, format="csv"),
        "json_url": _with(request, format="json"),
    }
    data = {**scope.as_json(), "grids": [grid.as_json() for grid in found]}
    return pages.respond(request, "monitor/errors/grids.html", data=data, context=context, now=now)


def _flat(facts: dict[str, object]) -> dict[str, object]:
    losses = facts.pop("losses")
    assert isinstance(losses, dict)
    return facts | {f"{name}_cpu_hours": loss["cpu_hours"] for name, loss in losses.items()}


@page
def grid(request: HttpRequest, name: str) -> HttpResponseBase:
    """The report of one grid flavour for a period."""
    if name not in Site.Flavour.values:
        raise NotThere(f"there is no grid {name[:80]}: one of {', '.join(Site.Flavour.values)}")
    given = request.GET.copy()
    given["grid"] = name
    now = database_now()
    scope, params = scopes.parse(given, now=now, more=sheets.PARAMS)
    context = {
        **frame(scope, "monitor:errors_grid", without=("grid",), args=[name]),
        "grid": name,
        "page": summaries.read(scope),
        "periods": [
            (period, scope.url("monitor:errors_grid", name, period=period, grid=""))
            for period in scopes.periods(now)
        ],
    }
    return sheets.respond(
        request,
        "monitor/errors/grid.html",
        places.PlaceSheet(places.read(scope)),
        params=params,
        context=context,
        now=now,
        facts={**scope.as_json(), **context["page"].as_json(), "errors": _lines(context["page"])},
    )


def _lines(found: summaries.Summary) -> list[dict[str, object]]:
    return [
        {"error": line.name, "count": line.count, "cpu_hours": line.cpu_hours}
        for line in sorted(found.lines, key=lambda line: -line.count)
    ]
