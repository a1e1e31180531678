"""Who wants which data where: subscriptions, open blocks, and what people ask for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from monitor import lists
from monitor.catalogue import keyed, openblocks, requestform, wishes
from monitor.catalogue import requests as asked
from monitor.catalogue.openblocks import BlockSheet
from monitor.catalogue.requests import RequestSheet
from monitor.catalogue.wishes import WishSheet
from monitor.lists import Field, ListPage
from monitor.pages import page
from monitor.params import Params
from pandasite.base.clock import database_now


@page
def subscriptions(request: HttpRequest) -> HttpResponseBase:
    """Who wants which dataset where."""
    params, now = Params(request.GET, known=keyed.known(*wishes.FILTERS)), database_now()
    found = wishes.read(params, now=now)
    shown = ListPage(
        name="subscriptions",
        title="Panda subscriptions",
        intro="Datasets that are wanted at a storage element: how far they are, when they should"
        " be there, and what is in the way.",
        fields=wishes.fields(params),
        ages=[lists.sweep_age("transfers added up", "datasets.sum_transfers")],
        links=[
            ("Open blocks", reverse("monitor:open_blocks")),
            ("DDM dashboard", reverse("monitor:ddm")),
            ("Ask for a dataset", reverse("monitor:ddm_request")),
        ],
    )
    return keyed.respond(
        request, shown, WishSheet(found.wishes), params=params, now=now, behind=found.behind
    )


@page
def open_blocks(request: HttpRequest) -> HttpResponseBase:
    """Blocks that are not at their end, and the jobs that wait on them."""
    params, now = Params(request.GET, known=keyed.known("kind")), database_now()
    kind = params.choice("kind", openblocks.KINDS, default="dispatch")
    found, kinds = openblocks.read(params), [*openblocks.KINDS.items()]
    shown = ListPage(
        name="open_blocks",
        title="Open blocks",
        intro="Blocks that are not at their end, those first that have been so for longest.",
        fields=[Field(name="kind", title="Kind", value=kind, options=kinds, any="")],
        links=[
            ("Jobs by block", reverse("monitor:blocks")),
            ("Subscriptions", reverse("monitor:subscriptions")),
        ],
    )
    return keyed.respond(
        request, shown, BlockSheet(found.blocks), params=params, now=now, behind=found.behind
    )


@page
def requests(request: HttpRequest) -> HttpResponseBase:
    """What was asked for."""
    params, now = Params(request.GET, known=keyed.known("storage", "user")), database_now()
    lines, behind = asked.read(params, now=now)
    shown = ListPage(
        name="ddm_requests",
        title="Req list",
        intro="Datasets that somebody asked for by the form, and how far they are.",
        fields=asked.fields(params),
        links=[
            ("DDM Req: ask for a dataset", reverse("monitor:ddm_request")),
            ("Subscriptions", reverse("monitor:subscriptions")),
        ],
    )
    return keyed.respond(request, shown, RequestSheet(lines), params=params, now=now, behind=behind)


@page
def request_form(request: HttpRequest) -> HttpResponseBase:
    """The form that asks for datasets at a storage element."""
    params = Params(request.GET, known=("dataset", "storage", "vo"))
    return requestform.shown(request, requestform.start_of(params, user=request.user))
