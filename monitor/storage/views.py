"""The page of a storage element."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from monitor import pages
from monitor.pages import page
from monitor.params import Params
from monitor.storage import page as storage_page
from pandasite.base.clock import database_now


@page
def storage(request: HttpRequest, name: str) -> HttpResponseBase:
    """What it is, how it does, what moves to and from it, and what went wrong."""
    params = Params(request.GET, known=("format",))
    params.choice("format", ("html", "json"))
    now = database_now()
    found = storage_page.read(name, now=now)
    return pages.respond(
        request,
        "monitor/storage/storage.html",
        data=found.as_json(),
        context={"page": found},
        now=now,
    )
