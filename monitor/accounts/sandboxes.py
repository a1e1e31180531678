"""My sandboxes: what prun sent of one's own, how large it is, and until when it stays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.models import Sandbox
from monitor import columns, lists
from monitor.forms import for_people
from monitor.lists import ListPage
from monitor.params import Params
from monitor.sheets import Sheet, column
from monitor.templatetags.monitor import size as size_words
from pandasite.base.clock import database_now

SHOWN = 1000
MB = 10**6


@dataclass(frozen=True, kw_only=True)
class Row:
    """A sandbox; size in bytes."""

    name: str
    size: int
    created: dt.datetime
    used: dt.datetime
    until: dt.datetime


class SandboxSheet(Sheet):
    """Sandboxes, the one that was used last first."""

    name = column("Name", "as the client sent it; jobO: to run, sources: to build")
    size = column("Size", "packed", kind=columns.SizeColumn, look="n")
    created = columns.time("Sent (UTC)", "when it came first")
    used = columns.time("Last used (UTC)", "sent or found again, named by a task, or fetched")
    until = columns.time("Kept until (UTC)", "if nobody uses it before")

    class Meta(Sheet.Meta):
        empty_text = "You have none: prun sends them."


@require_safe
@for_people
def sandboxes(request: HttpRequest) -> HttpResponseBase:
    """The list, and how much of the quota it takes."""
    params = Params(request.GET, known=lists.known())
    mine = Sandbox.objects.filter(owner=request.user.pk)
    has = mine.aggregate(sum=Sum("size"))["sum"] or 0
    found = list(mine.order_by("-last_used_at")[: SHOWN + 1])
    days = settings.PANDASITE["SANDBOX_DAYS"]
    quota = settings.PANDASITE["SANDBOX_QUOTA_MB"] * MB
    rows = [
        Row(
            name=one.name,
            size=one.size,
            created=one.created_at,
            used=one.last_used_at,
            until=one.last_used_at + dt.timedelta(days=days),
        )
        for one in found[:SHOWN]
    ]
    page = ListPage(
        name="sandboxes",
        title="My sandboxes",
        intro=f"Programs of yours that prun sent. One goes when it was not used for {days} days.",
        facts=[("Used", size_words(has)), ("Quota", size_words(quota))],
        notes=[f"These are the {SHOWN:,} used last."] if len(found) > SHOWN else [],
        links=[("How they work", reverse("monitor:help_page", args=["sandboxes"]))],
    )
    return lists.respond(request, page, SandboxSheet(rows), params=params, now=database_now())
