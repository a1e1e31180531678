"""The pages: each parses its query string, reads its facts in one snapshot and answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string

from monitor import (
    joblist,
    jobpage,
    jobtable,
    logs,
    menu,
    places,
    recent,
    savedviews,
    sheets,
    taskpage,
)
from monitor.dashboard import Dashboard
from monitor.pages import for_readers, page, respond
from monitor.params import Params
from monitor.words import COLUMNS, DEFAULT_HOURS, KINDS, WINDOWS
from pandasite.base.clock import database_now
from pandasite.base.snapshot import one_snapshot

PLAIN = ("html", "json")


@page
def dashboard(request: HttpRequest) -> HttpResponseBase:
    """Numbers by cloud and site, and what needs attention; CSV has a line per site."""
    params = Params(request.GET, known=("hours", "kind", "format"))
    form = params.choice("format", sheets.FORMATS)
    hours = int(params.choice("hours", map(str, WINDOWS), default=str(DEFAULT_HOURS)))
    kind = params.choice("kind", KINDS)
    kept, path = recent.board(hours=hours, kind=kind), request.get_full_path()
    if form == "csv":
        return sheets.csv_response(kept.board.as_rows(), name="sites")
    context = _around(path)
    inner = kept.drawn(
        path, lambda board: render_to_string("monitor/_dashboard_inner.html", context | _of(board))
    )
    return respond(
        request,
        "monitor/dashboard.html",
        data=kept.board.as_json,
        text=kept.text,
        context=context | _of(kept.board) | {"inner": inner},
        now=kept.board.now,
    )


def _of(board: Dashboard) -> dict[str, Any]:
    return {"board": board, "now": board.now}


def _around(path: str) -> dict[str, Any]:
    """What the dashboard shows beside its numbers; `path` is its address."""
    running = {"what": "states", "hours": "24", "state": "running"}
    return {
        "columns": COLUMNS,
        "windows": WINDOWS,
        "kinds": KINDS,
        "path": path,
        "servers": menu.address("monitor:servers"),
        "users": menu.address("monitor:users"),
        "bamboo": menu.bamboo(),
        "running": menu.address("monitor:plot_data", **running),
    }


@page
def jobs(request: HttpRequest) -> HttpResponseBase:
    """The job list."""
    if "id" in request.GET:  # links from before the quick search
        panda_id = Params(request.GET, known=("id", "format")).number("id", low=1, high=10**18 - 1)
        return redirect("monitor:job", panda_id=panda_id) if panda_id else redirect("monitor:jobs")
    now = database_now()
    wanted = joblist.parse(request.GET, now=now)
    listing = joblist.read(wanted, now=now)
    if wanted.format == "csv":
        return jobtable.csv_response(listing)
    data, context = listing.as_json(), {}
    if wanted.format != "json":
        views = savedviews.mine(request.user)
        context = jobtable.context(wanted, listing) | {"views": views}
        data["views"] = [(view.pk, view.name) for view in views]  # a new one is a new page
    return respond(request, "monitor/jobs.html", data=data, context=context, now=now)


@page
def job(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """One job."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    now = database_now()
    found = jobpage.read(panda_id, now=now)
    context = {"page": found, "job": found.job}
    data = found.as_json()
    return respond(request, "monitor/job.html", data=data, context=context, now=now)


@for_readers
def job_log(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """The log tarball of the last attempt that left one, or of `?attempt=`; from `?offset=` on."""
    params = Params(request.GET, known=("attempt", "offset"))
    attempt = params.number("attempt", low=1, high=10_000)
    offset = params.number("offset", low=0, high=2**63 - 1) or 0
    with one_snapshot():
        log = logs.log_of(panda_id, attempt)
        holders = logs.holders(log)
    # A storage element may take its time: no transaction waits for it.
    return logs.download(log, holders, logs.Part.of(request, offset))


@page
def site(request: HttpRequest, name: str) -> HttpResponseBase:
    """One site."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    now = database_now()
    found = places.read_site(name, now=now)
    context = {"page": found, "site": found.site, "columns": COLUMNS, "hours": DEFAULT_HOURS}
    return respond(request, "monitor/site.html", data=found.as_json(), context=context, now=now)


@page
def task(request: HttpRequest, task_id: int) -> HttpResponseBase:
    """One task."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    now = database_now()
    found = taskpage.read_task(task_id, user=request.user, now=now)
    context = {
        "page": found,
        "task": found.task,
        "engined": found.engined,
        "ages": taskpage.ages(),
    }
    return respond(request, "monitor/task.html", data=found.as_json(), context=context, now=now)
