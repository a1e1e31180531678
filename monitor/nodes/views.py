"""The pages of nodes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from brokerage.models import Site
from jobs.ends import DAYS_KEPT
from monitor import pages, sheets
from monitor.errors import scope as scopes
from monitor.errors.frame import frame
from monitor.errors.scope import Scope
from monitor.nodes import lists
from monitor.nodes import page as node_page
from monitor.nodes.acts import DURATIONS
from monitor.pages import page
from pandasite.base.clock import database_now
from pandasite.base.errors import NotThere

# Nodes are summed up without these.
WITHOUT = ("kind", "label", "ce", "error")
ALSO = ("outliers", *sheets.PARAMS)
OF_ONE = (*WITHOUT, "cloud", "site", "grid")


@page
def nodes(request: HttpRequest) -> HttpResponseBase:
    """All nodes, those with the most failures first."""
    now = database_now()
    scope, params = scopes.parse(request.GET, now=now, more=ALSO, without=WITHOUT, days=DAYS_KEPT)
    only = params.choice("outliers", ("1",))
    found = lists.read(scope)
    lines = found.outliers if only else found.lines
    context = {
        **frame(scope, "monitor:nodes", without=WITHOUT),
        "page": found,
        "only": only,
        "outliers_url": scope.url("monitor:nodes") + ("&" if scope.given else "?") + "outliers=1",
        "all_url": scope.url("monitor:nodes"),
        "most": lists.MOST,
    }
    return sheets.respond(
        request,
        "monitor/nodes/nodes.html",
        lists.NodeSheet(lines),
        params=params,
        context=context,
        now=now,
        facts={**scope.as_json(), **found.as_json()},
    )


@page
def node(request: HttpRequest, site: str, name: str) -> HttpResponseBase:
    """One node."""
    place, scope = _of_one(request, site)
    found = node_page.read(place, name, scope)
    args = [place.name, name]
    at_site = scope.url("monitor:nodes", site=place.name)
    context = {
        **frame(scope, "monitor:node", without=OF_ONE, args=args),
        "page": found,
        "rows": [(one, _cluster_url(scope, place, one.key)) for one in found.clusters],
        "plot_url": scope.url("monitor:node_plot", *args),
        "at_site": at_site,
        "durations": DURATIONS,
    }
    return pages.respond(
        request,
        "monitor/nodes/node.html",
        data={**scope.as_json(), **found.as_json()},
        context=context,
        now=scope.now,
    )


def _cluster_url(scope: Scope, site: Site, key: str) -> str:
    return scope.url("monitor:errors_cluster", key, site=site.name)


@page
def plot(request: HttpRequest, site: str, name: str) -> HttpResponseBase:
    """The jobs of a node by hour, for its plot."""
    place, scope = _of_one(request, site)
    return JsonResponse({"as_of": scope.now, **node_page.plot(place, name, scope)})


def _of_one(request: HttpRequest, name: str) -> tuple[Site, Scope]:
    now = database_now()
    scope, params = scopes.parse(
        request.GET, now=now, more=("format",), without=OF_ONE, days=DAYS_KEPT
    )
    params.choice("format", ("html", "json"))
    site = next((one for one in scope.sites.values() if one.name == name), None)
    if site is None:
        raise NotThere(f"there is no site {name[:80]}")
    return site, scope
