"""The dataset browser: each page parses its query, reads its facts in one snapshot and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse

from monitor import lists, pages
from monitor.catalogue import browser, datasetpage, filepage, keyed, preview
from monitor.catalogue import datasets as listing
from monitor.catalogue.browser import Browser
from monitor.catalogue.datasets import DatasetSheet
from monitor.lists import Age, Field, ListPage
from monitor.pages import for_readers, page
from monitor.params import Params
from pandasite.base.clock import database_now
from pandasite.base.snapshot import one_snapshot

NEW_HOURS = 24
FLAGS = {"aborted": Q(aborted_at__isnull=False), "lost": Q(n_lost__gt=0)}
FLAGGED = FLAGS["aborted"] | FLAGS["lost"]


def _counted() -> Age:
    return lists.sweep_age("datasets looked at", "datasets.sum_datasets")


@page
def datasets(request: HttpRequest) -> HttpResponseBase:
    """The catalogue: categories, storage elements, and the datasets that were chosen."""
    params, now = Params(request.GET, known=keyed.known(*listing.FILTERS)), database_now()
    whole, found = browser.read(), listing.read(params, now=now)
    chosen = {k: v for k, v in params.values.items() if k in listing.FILTERS}
    shown = ListPage(
        name="datasets",
        title="Dataset browser",
        intro="Datasets, the newest first. Blocks that only travel have a list of their own.",
        fields=listing.fields(params),
        ages=[Age(title="dataset lists last updated", at=whole.updated_at)],
        shown=listing.USUAL,
        links=_links(),
    )
    return keyed.respond(
        request, shown, DatasetSheet(found.lines), params=params, now=now, behind=found.before,
        more=_glance(whole, chosen), facts={"catalogue": whole.as_json()},
        template="monitor/catalogue/datasets.html",
    )  # fmt: skip


def _glance(whole: Browser, chosen: Mapping[str, str]) -> dict[str, Any]:
    """What stands above the list, each with the address that chooses it."""
    return {
        "browser": whole,
        "categories": [
            (line, _choice(chosen, category=line.key), line.key == chosen.get("category", ""))
            for line in whole.categories
        ],
        "clouds": [(cloud, _cells(chosen, names)) for cloud, names in whole.clouds],
        "anywhere": _choice(chosen, storage="") if "storage" in chosen else "",
        "projects": [
            (name, n, _choice(chosen, project=name), name == chosen.get("project"))
            for name, n in whole.projects
        ],
        "any_project": _choice(chosen, project="") if "project" in chosen else "",
    }


def _links() -> list[tuple[str, str]]:
    names = {
        "New": "datasets_new",
        "Aborted and lost": "datasets_aborted",
        "AODs": "aods",
        "Open blocks": "open_blocks",
        "Subscriptions": "subscriptions",
        "Physics data": "physics",
    }
    return [(title, reverse(f"monitor:{name}")) for title, name in names.items()]


def _choice(chosen: Mapping[str, str], **changes: str) -> str:
    return "?" + urlencode({k: v for k, v in {**chosen, **changes}.items() if v})


def _cells(chosen: Mapping[str, str], names: Sequence[str]) -> list[tuple[str, str, bool]]:
    return [(name, _choice(chosen, storage=name), name == chosen.get("storage")) for name in names]


@page
def datasets_new(request: HttpRequest) -> HttpResponseBase:
    """Datasets that were made of late."""
    params, now = Params(request.GET, known=keyed.known(*listing.FILTERS)), database_now()
    found = listing.read(params, now=now, hours=NEW_HOURS)
    params.values.setdefault("hours", str(NEW_HOURS))
    shown = ListPage(
        name="datasets_new",
        title="New datasets",
        intro=f"Datasets that were made within the last {params.text('hours')} hours.",
        fields=listing.fields(params),
        ages=[_counted()],
        shown=listing.USUAL,
        links=[("Dataset browser", reverse("monitor:datasets"))],
    )
    return keyed.respond(
        request, shown, DatasetSheet(found.lines), params=params, now=now, behind=found.before
    )


@page
def datasets_aborted(request: HttpRequest) -> HttpResponseBase:
    """Datasets that were aborted, and those with files that are lost."""
    params = Params(request.GET, known=keyed.known("only", *listing.FILTERS))
    now, only = database_now(), params.choice("only", FLAGS)
    wanted = FLAGGED & FLAGS[only] if only else FLAGGED
    found = listing.read(params, now=now, only=wanted)
    options = [("aborted", "aborted"), ("lost", "with lost files")]
    shown = ListPage(
        name="datasets_aborted",
        title="Aborted and lost datasets",
        intro="Datasets whose makers stopped, and those that have files without any good replica.",
        fields=[
            Field(name="only", title="Only", value=only, options=options, any="both"),
            *listing.fields(params, without=("data_type", "type", "hours")),
        ],
        ages=[_counted()],
        shown=listing.ABORTED,
        links=[("Dataset browser", reverse("monitor:datasets"))],
    )
    return keyed.respond(
        request, shown, DatasetSheet(found.lines), params=params, now=now, behind=found.before
    )


@page
def aods(request: HttpRequest) -> HttpResponseBase:
    """Datasets of analysis object data, and where they are."""
    filters = [name for name in listing.FILTERS if name != "data_type"]
    params, now = Params(request.GET, known=keyed.known(*filters)), database_now()
    found = listing.read(params, now=now, only=Q(data_type="AOD"))
    shown = ListPage(
        name="aods",
        title="AODs",
        intro="Datasets of analysis object data, and where they are.",
        fields=listing.fields(params, without=("data_type", "type")),
        ages=[_counted()],
        shown=listing.USUAL,
        links=[
            ("Dataset browser", reverse("monitor:datasets")),
            ("Ask for one", reverse("monitor:ddm_request")),
        ],
    )
    return keyed.respond(
        request, shown, DatasetSheet(found.lines), params=params, now=now, behind=found.before
    )


@page
def dataset(request: HttpRequest, name: str) -> HttpResponseBase:
    """One dataset, a page of its files at a time."""
    params = Params(request.GET, known=("format", "after"))
    params.choice("format", ("html", "json"))
    after = params.number("after", low=1, high=2**63 - 1) or 0
    now = database_now()
    found = datasetpage.read(name, after=after, now=now)
    request_url = f"{reverse('monitor:ddm_request')}?{urlencode({'dataset': name})}"
    context = {"page": found, "dataset": found.dataset, "request_url": request_url}
    return pages.respond(
        request, "monitor/catalogue/dataset.html", data=found.as_json(), context=context, now=now
    )


@page
def file(request: HttpRequest, scope: str, lfn: str) -> HttpResponseBase:
    """One file."""
    Params(request.GET, known=("format",)).choice("format", ("html", "json"))
    now, found = database_now(), filepage.read(scope, lfn)
    context = {"page": found, "file": found.file}
    return pages.respond(
        request, "monitor/catalogue/file.html", data=found.as_json(), context=context, now=now
    )


@for_readers
def image(request: HttpRequest, scope: str, lfn: str) -> HttpResponseBase:
    """The picture that a file is; nothing else comes from here."""
    Params(request.GET, known=())
    with one_snapshot():
        wanted = filepage.find(scope, lfn)
        holders = preview.holders(wanted)
    # A storage may take its time: no transaction waits for it.
    response = HttpResponse(preview.picture(wanted, holders), content_type="image/png")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, max-age=300"
    return response


@for_readers
def histogram(request: HttpRequest, scope: str, lfn: str) -> HttpResponseBase:
    """A histogram of a file for a plot: the one that `name` says, else the first."""
    params = Params(request.GET, known=("name", "format"))
    params.choice("format", ("json",))
    with one_snapshot():
        wanted = filepage.find(scope, lfn)
        holders = preview.holders(wanted)
    found = preview.histograms(wanted, holders)
    if not found:  # most files of arrays: their pages need not complain of it
        return JsonResponse({"names": [], "series": [], "note": "It has no histogram inside."})
    name = params.choice("name", found, default=next(iter(found)))
    facts = {"name": name, "names": [*found]}
    return JsonResponse({**facts, **preview.drawn(*found[name])})
