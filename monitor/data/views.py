"""Channels of transfers, physics data, and jobs by block."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from brokerage.models import Site
from monitor import lists
from monitor.data import blocks as blocklist
from monitor.data import mover as channels
from monitor.data import physics as sums
from monitor.data.blocks import KINDS, BlockSheet
from monitor.data.mover import ChannelSheet
from monitor.data.physics import BY, PhysicsSheet
from monitor.lists import Age, Field, ListPage
from monitor.pages import page
from monitor.params import Params
from pandasite.base.clock import database_now

SPANS = [("1h", "1 h"), ("12h", "12 h"), ("24h", "24 h"), ("7d", "7 d")]
DAYS = [("24", "1 day"), ("72", "3 days"), ("168", "7 days"), ("720", "30 days")]
GROUPED = {
    "all": "all four",
    "project": "project",
    "type": "project and type",
    "stream": "project and stream",
    "step": "project and step",
}


@page
def mover(request: HttpRequest) -> HttpResponseBase:
    """Channels of transfers."""
    params = Params(request.GET, known=lists.known("from", "to", "by", "failing", "window"))
    params.choice("failing", ("yes",))
    params.choice("by", channels.CARRIERS)
    now, given = database_now(), params.text
    found = channels.read(params, now=now)
    window = params.values.get("window", "24h")
    cut = f"Of the latest {channels.ENDED_READ:,} transfers that ended: choose a shorter window."
    shown = ListPage(
        name="mover",
        title="PandaMover",
        intro="Channels between storage elements: transfers that wait or run now, and those that"
        " ended within the window.",
        fields=[
            Field(name="from", title="From has", value=given("from")),
            Field(name="to", title="To has", value=given("to")),
            Field(
                name="by",
                title="By",
                value=given("by"),
                options=[(one, one) for one in channels.CARRIERS],
                any="all",
            ),
            Field(
                name="failing",
                title="Only",
                value=given("failing"),
                options=[("yes", "with errors")],
                any="all",
            ),
            Field(name="window", title="Window", value=window, options=SPANS, any=""),
        ],
        notes=[] if found.whole else [cut],
    )
    return lists.respond(request, shown, ChannelSheet(found.channels), params=params, now=now)


@page
def physics(request: HttpRequest) -> HttpResponseBase:
    """Datasets by what their names say."""
    names = ("project", "stream", "step", "data_type")
    params = Params(request.GET, known=lists.known("by", *names))
    rows, oldest = sums.read(params)
    by = params.choice("by", BY, default="all")
    titles = {"data_type": "Type"}
    shown = ListPage(
        name="physics",
        title="Physics data",
        intro="Datasets by project, stream, production step and data type, as their names say.",
        fields=[
            Field(name="by", title="By", value=by, options=[*GROUPED.items()], any=""),
            *(
                Field(name=n, title=titles.get(n, n.capitalize()), value=params.text(n))
                for n in names
            ),
        ],
        ages=[Age(title="oldest part counted", at=oldest)],
    )
    return lists.respond(request, shown, PhysicsSheet(rows), params=params, now=database_now())


@page
def blocks(request: HttpRequest) -> HttpResponseBase:
    """Jobs per state by block."""
    params = Params(request.GET, known=lists.known("kind", "hours", "site", "task"))
    now, given = database_now(), params.text
    rows, whole = blocklist.read(params, now=now)
    kind = params.choice("kind", KINDS, default="dispatch")
    cut = f"Of the latest {blocklist.READ:,} jobs: narrow your search, by site, task or window."
    shown = ListPage(
        name="blocks",
        title="Blocks",
        intro=f"Jobs under way, and those that ended within the window, by {kind} block.",
        fields=[
            Field(name="kind", title="Blocks", value=kind, options=lists.words(KINDS), any=""),
            Field(
                name="hours",
                title="Window",
                value=params.values.get("hours", "24"),
                options=DAYS,
                any="",
            ),
            Field(name="site", title="Site", value=given("site"), known=lists.names(Site)),
            Field(name="task", title="Task", value=given("task")),
        ],
        notes=[] if whole else [cut],
        links=[("PandaMover", reverse("monitor:mover"))],
    )
    return lists.respond(request, shown, BlockSheet(rows), params=params, now=now)
