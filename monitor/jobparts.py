"""Parts of the job page that take their time, each with an address of its own."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from monitor import alike, jobpage, jobusage, logs, logview, script, sheets, whynot
from monitor.pages import for_readers, page, respond
from monitor.params import Params
from pandasite.base.clock import database_now
from pandasite.base.snapshot import one_snapshot

PLAIN = ("html", "json")


@page
def why(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """Why a job is not running."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    now = database_now()
    job = jobpage.job_of(panda_id)
    found = whynot.read(job, now=now)
    context = {"job": job, "why": found}
    return respond(request, "monitor/job_why.html", data=found.as_json(), context=context, now=now)


@page
def same_error(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """Where else the errors of a job were seen."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    now = database_now()
    job = jobpage.job_of(panda_id)
    found = alike.read(job, now=now)
    context = {"job": job, "alike": found, "hours": alike.HOURS, "looked_at": alike.LOOKED_AT}
    data = {"errors": [one.as_json() for one in found]}
    return respond(request, "monitor/job_alike.html", data=data, context=context, now=now)


@page
def samples(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """CPU and memory over time: as numbers, or with `what` as a plot asks for them."""
    params = Params(request.GET, known=("what", "format"))
    what = params.choice("what", jobusage.WHAT)
    form = params.choice("format", ("html", "json", "csv"), default="html")
    now = database_now()
    job = jobpage.job_of(panda_id)
    found = jobusage.read(panda_id)
    rows = jobusage.rows(found)
    if form == "csv":
        return sheets.csv_response(rows, name=f"samples-{panda_id}")
    if what:
        return JsonResponse(jobusage.plot(found, what))
    data, context = {"samples": rows}, {"job": job, "rows": rows}
    return respond(request, "monitor/job_samples.html", data=data, context=context, now=now)


@for_readers
def job_script(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """The job as a shell script."""
    Params(request.GET, known=())
    with one_snapshot():
        text = script.script(jobpage.script_facts(panda_id))
    response = HttpResponse(text, content_type="text/x-shellscript; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="job-{panda_id}.sh"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@for_readers
def job_logs(request: HttpRequest, panda_id: int) -> HttpResponseBase:
    """What is in the log tarball of an attempt, and the text of one of its files."""
    params = Params(request.GET, known=("attempt", "member", "start", "format"))
    params.choice("format", PLAIN)
    attempt = params.number("attempt", low=1, high=10_000)
    start = params.number("start", low=0, high=2**63 - 1)
    now = database_now()
    with one_snapshot():
        log = logs.log_of(panda_id, attempt)
        held_by = logs.holders(log)
    # A storage element may take its time: no transaction waits for it.
    found = logview.contents(logs.opened(log, held_by))
    name = params.text("member", longest=1000) or logview.first_text(found.members)
    text = logview.text_of(logs.opened(log, held_by), name, start) if name else ""
    shown = text if isinstance(text, logview.Text) else None
    trouble = text if isinstance(text, str) else ""
    data: dict[str, Any] = {
        "log": log.lfn,
        "members": [vars(one) for one in found.members],
        "stopped": found.stopped,
        "text": vars(shown) if shown else None,
        "trouble": trouble,
    }
    context = {"panda_id": panda_id, "log": logs.LogLink.of(log), "attempt": logs.attempt_of(log)}
    context |= {"found": found, "name": name, "text": shown, "trouble": trouble}
    return respond(request, "monitor/job_logs.html", data=data, context=context, now=now)
