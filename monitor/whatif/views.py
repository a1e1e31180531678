"""What if: describe a job, and see what brokerage would say of each site."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from brokerage.models import VO, Cloud, Site
from monitor import sheets
from monitor.pages import page, respond
from monitor.params import Params
from monitor.whatif import ask
from pandasite.base.clock import database_now


@page
def what_if(request: HttpRequest) -> HttpResponseBase:
    """The form, and once a job is described the table of sites and rules."""
    params = Params(request.GET, known=ask.KNOWN)
    form = params.choice("format", ("html", "json", "csv"), default="html")
    if panda_id := params.number("job", low=1, high=10**18 - 1):
        return redirect(f"{reverse('monitor:what_if')}?{ask.query_of(panda_id)}")
    now = database_now()
    found = ask.answer(params, now=now) if ask.asked(params) else None
    if form == "csv" and found:
        return sheets.csv_response([row.flat() for row in found.rows], name="what-if")
    known = {
        name: list(model._default_manager.order_by("name").values_list("name", flat=True))
        for name, model in (("cloud", Cloud), ("site", Site), ("vo", VO))
    }
    context: dict[str, Any] = {
        "form": ask.form(params),
        "known": known,
        "answer": found,
        "json_url": _with(request, "json"),
        "csv_url": _with(request, "csv"),
    }
    data = found.as_json() if found else {"fields": [field.name for field in ask.FIELDS]}
    return respond(request, "monitor/whatif/what_if.html", data=data, context=context, now=now)


def _with(request: HttpRequest, form: str) -> str:
    query = request.GET.copy()
    query["format"] = form
    return f"?{query.urlencode()}"
