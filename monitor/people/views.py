"""Users, usage against quotas, and usage by day."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from brokerage.models import Site
from jobs.labels import LABELS
from monitor import lists
from monitor.lists import Age, Field, ListPage, chosen
from monitor.pages import page, respond
from monitor.params import Params
from monitor.people import sums, userpage
from monitor.people.userlist import DailySheet, QuotaSheet, UserSheet
from pandasite.base.clock import database_now

SPANS = [("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"), ("90d", "90 d")]
KINDS = {"user": "users", "group": "working groups"}


@page
def users(request: HttpRequest) -> HttpResponseBase:
    """Who has jobs, and what they used."""
    params = Params(request.GET, known=lists.known("name"))
    now, name = database_now(), params.text("name").lower()
    rows = [one for one in sums.used("user", now=now) if name in one.name.lower()]
    shown = ListPage(
        name="users",
        title="Users",
        intro="Users whose jobs ended within 30 days, or are under way.",
        fields=[Field(name="name", title="Name has", value=params.text("name"))],
        ages=_ages(),
        links=[_link("Usage & quotas", "monitor:usage"), _link("By day", "monitor:daily_usage")],
    )
    return lists.respond(request, shown, UserSheet(rows), params=params, now=now)


@page
def user(request: HttpRequest, name: str) -> HttpResponseBase:
    """One user."""
    Params(request.GET, known=("format",)).choice("format", ("html", "json"))
    now = database_now()
    found = userpage.read(name, now=now)
    links = [
        ("Jobs", f"{reverse('monitor:jobs')}?{urlencode({'user': name})}"),
        ("Failed of 24 h", f"{reverse('monitor:jobs')}?{_failed(name)}"),
        ("Tasks", f"{reverse('monitor:tasks')}?{urlencode({'user': name})}"),
        ("By day", f"{reverse('monitor:daily_usage')}?{urlencode({'user': name, 'by': 'site'})}"),
    ]
    context = {"page": found, "ages": _ages(), "links": links}
    return respond(
        request, "monitor/people/user.html", data=found.as_json(), context=context, now=now
    )


def _failed(name: str) -> str:
    return urlencode({"user": name, "state": "failed", "ended": "24h"})


@page
def usage(request: HttpRequest) -> HttpResponseBase:
    """CPU hours by user or working group against their quotas."""
    params = Params(request.GET, known=lists.known("kind", "name"))
    kind = params.choice("kind", KINDS, default="user")
    now, name = database_now(), params.text("name").lower()
    rows = [one for one in sums.used(kind, now=now) if name in one.name.lower()]
    over = sum(1 for one in rows if one.verdict == "over")
    shown = ListPage(
        name="usage",
        title="Usage & quotas",
        intro=f"CPU hours of jobs that have ended, by {KINDS[kind]}, against the quota of 30 days."
        " Quotas are set in the admin. Those of a day act: who used more has a lower priority, or"
        " waits where the limit is hard.",
        fields=[
            Field(name="kind", title="By", value=kind, options=[*KINDS.items()], any=""),
            Field(name="name", title="Name has", value=params.text("name")),
        ],
        ages=_ages(),
        notes=[f"{over} of them used more than their quota."] if over else [],
        links=[
            _link("Users", "monitor:users"),
            _link("By day", "monitor:daily_usage"),
            _link("Shares", "monitor:shares"),
        ],
    )
    return lists.respond(request, shown, QuotaSheet(rows), params=params, now=now)


@page
def daily_usage(request: HttpRequest) -> HttpResponseBase:
    """What ended on each day, by user, site, label or working group."""
    params = Params(
        request.GET, known=lists.known("by", "window", "user", "site", "label", "group")
    )
    by = params.choice("by", sums.BY, default="site")
    hours = params.hours("window") or 7 * 24
    now = database_now()
    start = sums.since(now, max(1, hours // 24))
    rows = sums.daily(by, filters=_filters(params), start=start)
    shown = ListPage(
        name="daily_usage",
        title="Daily usage",
        intro=f"Jobs that ended since {start:%Y-%m-%d %H:%M} UTC, by day and {by}.",
        fields=_daily_fields(params, by),
        ages=_ages()[1:],
        links=[_link("Users", "monitor:users"), _link("Usage & quotas", "monitor:usage")],
        facts=[
            ("Jobs", f"{sum(row.jobs for row in rows):,}"),
            ("Wall hours", f"{sum(row.wall_s for row in rows) / 3600:,.1f}"),
            ("CPU hours", f"{sum(row.cpu_s for row in rows) / 3600:,.1f}"),
        ],
    )
    return lists.respond(request, shown, DailySheet(rows), params=params, now=now)


def _filters(params: Params) -> dict[str, Any]:
    site = chosen(params, "site", Site)
    given = {
        "user": lists.account(params, "user", known=sums.has_used),
        "working_group": params.text("group"),
        "label": params.choice("label", LABELS),
        "site_id": site.pk if site else "",
    }
    return {name: value for name, value in given.items() if value}


def _daily_fields(params: Params, by: str) -> list[Field]:
    window = params.values.get("window", "7d")
    return [
        Field(name="by", title="By", value=by, options=lists.words(sums.BY), any=""),
        Field(name="window", title="Window", value=window, options=SPANS, any=""),
        Field(name="user", title="User", value=params.text("user")),
        Field(name="site", title="Site", value=params.text("site"), known=lists.names(Site)),
        Field(name="label", title="Label", value=params.text("label"), options=lists.words(LABELS)),
        Field(name="group", title="Working group", value=params.text("group")),
    ]


def _ages() -> list[Age]:
    return [
        lists.sweep_age("live jobs counted", "jobs.tally_live"),
        lists.sweep_age("ended jobs added up", "jobs.sum_usage"),
    ]


def _link(title: str, name: str) -> tuple[str, str]:
    return title, reverse(name)
