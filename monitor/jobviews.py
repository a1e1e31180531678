"""Pages around the job list: the boxes of counts, and saved views."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from monitor import facets, joblist, savedviews
from monitor.forms import deed
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
