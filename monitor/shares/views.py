"""Production shares: what each should have, has and had, and what waits."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from monitor import lists
from monitor.lists import Age, Field, ListPage
from monitor.pages import page
from monitor.params import Params
from monitor.shares import read
from pandasite.base.clock import database_now

OVER = {"over": "over", "under": "under", "fair": "fair"}


@page
def shares(request: HttpRequest) -> HttpResponseBase:
    """The tree of shares."""
    params = Params(request.GET, known=lists.known("name", "verdict"))
    name, verdict = params.text("name").lower(), params.choice("verdict", OVER)
    now = database_now()
    found = read.read(now=now)
    rows = [
        row
        for row in found.rows
        if name in row.path.lower() and (not verdict or row.verdict == verdict)
    ]
    shown = ListPage(
        name="shares",
        title="Shares",
        intro="Parts of all cores by working group and processing type. Once a minute the jobs of"
        " those that have less than their part are put first; an administrator sets the parts.",
        shown=read.SHOWN,
        fields=[
            Field(name="name", title="Share has", value=params.text("name")),
            Field(name="verdict", title="Verdict", value=verdict, options=lists.words(OVER)),
        ],
        ages=[
            Age(title="shares", at=found.at),
            lists.sweep_age("jobs that wait", "jobs.tally_live"),
        ],
        notes=[f"{found.outside:,} jobs that wait are in no share."] if found.outside else [],
        links=[
            ("Usage & quotas", reverse("monitor:usage")),
            ("Change the shares", reverse("admin:jobs_share_changelist")),
        ],
    )
    return lists.respond(request, shown, read.ShareSheet(rows), params=params, now=now)
