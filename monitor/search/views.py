"""Quick search: one box for everything that has a name or a number."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from monitor import sheets
from monitor.pages import page, respond, wants_json
from monitor.params import Params
from monitor.search import groups
from monitor.search.parse import parse
from pandasite.base.clock import database_now

KNOWN = ("q", "group", "after", "format")
CURSOR = 20 + 1 + 255  # a key, a comma, a name


@page
def search(request: HttpRequest) -> HttpResponseBase:
    """What begins with `q`; straight to its page when just one thing is called exactly so."""
    params = Params(request.GET, known=KNOWN)
    asked, now = parse(params.text("q")), database_now()
    chosen = params.choice("group", [g.key for g in groups.GROUPS if g.pages])
    after = params.text("after", longest=CURSOR)
    form = params.choice("format", sheets.FORMATS, default="html")
    if chosen and asked.text:
        found = [groups.look_into(groups.BY_KEY[chosen], asked, after=after)]
    else:
        found = groups.look(asked) if asked.text else []
    straight = "" if chosen else groups.straight(found)
    if form == "csv":
        return sheets.csv_response(groups.csv_rows(found), name="search")
    if straight and not wants_json(request):
        return redirect(straight)
    data = {"q": asked.text, "straight": straight, "groups": [one.as_json() for one in found]}
    context = {"asked": asked, "found": found, "group": chosen, "groups": groups.GROUPS}
    return respond(request, "monitor/search/search.html", data=data, context=context, now=now)
