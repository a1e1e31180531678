"""Pages around the job list: the boxes of counts, and saved views."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.priority import HIGHEST, LOWEST, checked_priority
from monitor import facets, jobacts, joblist, savedviews
from monitor.forms import deed, for_people
from monitor.pages import page, respond
from monitor.params import Params
from pandasite.base.clock import database_now

PLAIN = ("html", "json")


@page
def job_facets(request: HttpRequest) -> HttpResponseBase:
    """How many jobs of a search have which values."""
    Params(request.GET, known=joblist.KNOWN).choice("format", PLAIN)
    now = database_now()
    wanted = joblist.parse(request.GET, now=now)
    found = facets.read(wanted, now=now)
    context = {"facets": found, "wanted": wanted, "list_url": "?" + wanted.query()}
    return respond(
        request, "monitor/job_facets.html", data=found.as_json(), context=context, now=now
    )


@page
def saved_views(request: HttpRequest) -> HttpResponseBase:
    """The saved views of who asks."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    now = database_now()
    mine = savedviews.mine(request.user)
    rows = [
        {"name": view.name, "url": view.get_absolute_url(), "saved_at": view.saved_at}
        for view in mine
    ]
    context = {"views": mine}
    return respond(request, "monitor/views.html", data={"views": rows}, context=context, now=now)


@page
def saved_view(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The job list as somebody has saved it."""
    form = Params(request.GET, known=("format",)).choice("format", joblist.FORMATS)
    query = savedviews.shared(pk).query
    more = f"{'&' if query else ''}format={form}" if form else ""
    return redirect(f"{reverse('monitor:jobs')}?{query}{more}")


@deed
def save_view(request: HttpRequest) -> HttpResponseBase:
    """Keep a search under a name."""
    given = {name: request.POST.get(name, "") for name in ("name", "query")}
    view = savedviews.save(request.user, now=database_now(), **given)
    return redirect(view.get_absolute_url())


@deed
def delete_view(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Forget a search."""
    savedviews.delete(request.user, pk)
    return redirect("monitor:views")


@require_safe
@for_people
def ask_to_act(request: HttpRequest) -> HttpResponseBase:
    """What a deed would come to, for jobs that were ticked (`id`) or that match (`match`)."""
    rest = request.GET.copy()
    ids = rest.pop("id", [])
    params = Params(rest, known=("action", "match", "id"))
    name = params.text("action")
    act = jobacts.chosen_act(name)
    match = params.text("match", longest=4000)
    now = database_now()
    chosen = jobacts.matching_ids(match, now=now) if match else jobacts.chosen_ids(ids)
    lines = jobacts.plan(name, chosen, request.user)
    context = {
        "act": act,
        "action": name,
        "lines": lines,
        "going": sum(line.ok for line in lines),
        "summed": jobacts.summed(lines),
        "ids": ",".join(map(str, chosen)),
        "lowest": LOWEST,
        "highest": HIGHEST,
        "longest": jobacts.LONGEST_REASON,
        "now": now,
    }
    return render(request, "monitor/act.html", context)


@deed
def act(request: HttpRequest) -> HttpResponseBase:
    """Do it, and tell what became of each job."""
    name, given = request.POST.get("action", ""), request.POST
    chosen = jobacts.chosen_act(name)
    ids = jobacts.chosen_ids([text for text in given.get("ids", "").split(",") if text])
    order = jobacts.Order(
        user=request.user,
        reason=jobacts.checked_reason(given.get("reason", "")),
        now=database_now(),
        priority=checked_priority(given.get("priority", "")) if name == "priority" else 0,
    )
    lines = jobacts.carry_out(name, ids, order)
    context = {
        "act": chosen,
        "lines": lines,
        "done": sum(line.ok for line in lines),
        "reason": order.reason,
        "now": order.now,
    }
    return render(request, "monitor/acted.html", context)
