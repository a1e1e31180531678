"""Who did what, to what, and why: the audit lines that concern the grid, newest first."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import NoReverseMatch, reverse

from monitor import columns, lists
from monitor.lists import Field, ListPage
from monitor.pages import page
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base.clock import database_now
from pandasite.base.models import AuditLine

# Of accounts and their tokens the admin alone tells.
OF_ACCOUNTS = (
    "gridmap", "pilot_token_issued", "roles_kept", "token_made", "token_revoked", "user_made",
)  # fmt: skip
SPANS = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "1y": 366 * 24}
SHOWN = 1000
FILTERS = ("actor", "action", "subject", "window")
PAGES = {"job": "monitor:job", "task": "monitor:task", "site": "monitor:site"}


def subject_url(line: AuditLine) -> str:
    """The page of what it was done to, where its words name one: `job 17`, `site AGLT2`."""
    kind, _, name = line.subject.partition(" ")
    if kind not in PAGES or not name or (kind != "site" and not name.isdigit()):
        return ""
    try:
        return reverse(PAGES[kind], args=[name])
    except NoReverseMatch:
        return ""


class DeedSheet(Sheet):
    """Audit lines."""

    at = columns.time("When (UTC)", "it was done")
    actor_name = column("Who", "account; of those that are gone the name alone")
    action = column("Did", "ban_node, job_kill, site_status and so on")
    subject = columns.link("To", "its page, if it has one", url=subject_url)
    reason = column("Why", "in the words of who did it", look="wrap")
    facts = column("Facts", "what came of it", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "Nobody has done anything: choose a longer window, or take a filter away."

    def render_facts(self, value: dict[str, Any]) -> str:
        return ", ".join(f"{name}: {fact}" for name, fact in value.items())

    value_facts = render_facts


@page
def deeds(request: HttpRequest) -> HttpResponseBase:
    """The list."""
    params = Params(request.GET, known=lists.known(*FILTERS))
    window = params.choice("window", SPANS, default="7d")
    now = database_now()
    found = list(_lines(params, since=now - dt.timedelta(hours=SPANS[window]))[: SHOWN + 1])
    cut = [f"These are the newest {SHOWN:,}: narrow your search."] if len(found) > SHOWN else []
    text = params.text
    shown = ListPage(
        name="deeds",
        title="Deeds",
        intro="What people did to sites, nodes, jobs, tasks and data, and why they did it.",
        fields=[
            Field(name="actor", title="Who", value=text("actor")),
            Field(name="action", title="Did (begins)", value=text("action"), hint="job_"),
            Field(name="subject", title="To (begins)", value=text("subject"), hint="site AGLT2"),
            Field(name="window", title="Window", value=window, options=lists.words(SPANS), any=""),
        ],
        notes=cut,
        links=[("Logger", reverse("monitor:logger"))],
    )
    return lists.respond(request, shown, DeedSheet(found[:SHOWN]), params=params, now=now)


def _lines(params: Params, *, since: dt.datetime) -> QuerySet[AuditLine]:
    lines = AuditLine.objects.filter(at__gte=since).exclude(action__in=OF_ACCOUNTS)
    if actor := lists.account(params, "actor", known=_has_done):
        lines = lines.filter(actor_name=actor)
    if action := params.text("action"):
        lines = lines.filter(action__startswith=action)
    if subject := params.text("subject"):
        lines = lines.filter(subject__startswith=subject)
    return lines.order_by("-at", "-pk")


def _has_done(actor: str) -> bool:
    return AuditLine.objects.filter(actor_name=actor).exists()
