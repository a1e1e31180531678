"""The pages: each parses its query string, reads its facts in one snapshot and answers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string

from monitor import joblist, jobpage, jobtable, logs, places, recent, taskpage
from monitor.pages import for_readers, page, respond
from monitor.params import Params
from monitor.words import COLUMNS, DEFAULT_HOURS, KINDS, STATE_HELP, WINDOWS
from pandasite.base.clock import database_now
from pandasite.base.snapshot import one_snapshot

PLAIN = ("html", "json")


@page
def dashboard(request: HttpRequest) -> HttpResponseBase:
    """Numbers by cloud and site, and what needs attention."""
    params = Params(request.GET, known=("hours", "kind", "format"))
    params.choice("format", PLAIN)
    hours = int(params.choice("hours", map(str, WINDOWS), default=str(DEFAULT_HOURS)))
    kind = params.choice("kind", KINDS)
    kept, path = recent.board(hours=hours, kind=kind), request.get_full_path()
    context = {
        "board": kept.board,
        "columns": COLUMNS,
        "windows": WINDOWS,
        "kinds": KINDS,
        "state_help": STATE_HELP,
        "path": path,
        "now": kept.board.now,
    }
    inner = kept.drawn(path, lambda: render_to_string("monitor/_dashboard_inner.html", context))
    return respond(
        request,
        "monitor/dashboard.html",
        data=kept.board.as_json,
        text=kept.text,
        context=context | {"inner": inner},
        now=kept.board.now,
    )


@page
def jobs(request: HttpRequest) -> HttpResponseBase:
    """The job list."""
    if "id" in request.GET:  # the box in the head of every page
        panda_id = Params(request.GET, known=("id", "format")).number("id", low=1, high=10**18 - 1)
        return redirect("monitor:job", panda_id=panda_id) if panda_id else redirect("monitor:jobs")
    now = database_now()
    wanted = joblist.parse(request.GET, now=now)
    listing = joblist.read(wanted)
    if wanted.format == "csv":
        return jobtable.csv_response(listing)
    context = {} if wanted.format == "json" else jobtable.context(wanted, listing)
    data = listing.as_json()
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
    found = taskpage.read_task(task_id, now=now)
    context = {"page": found, "task": found.task, "ages": taskpage.ages()}
    return respond(request, "monitor/task.html", data=found.as_json(), context=context, now=now)


@page
def dataset(request: HttpRequest, name: str) -> HttpResponseBase:
    """One dataset, a page of its files at a time."""
    params = Params(request.GET, known=("format", "after"))
    params.choice("format", PLAIN)
    after = params.number("after", low=1, high=2**63 - 1) or 0
    now = database_now()
    found = places.read_dataset(name, after=after)
    context = {"page": found, "dataset": found.dataset}
    return respond(request, "monitor/dataset.html", data=found.as_json(), context=context, now=now)
