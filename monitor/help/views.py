"""The pages of the documentation."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from monitor.help import documents
from monitor.pages import page, respond
from monitor.params import Params
from monitor.words import COLUMNS, STATE_HELP
from pandasite.base.clock import database_now

PLAIN = ("html", "json")


@page
def index(request: HttpRequest) -> HttpResponseBase:
    """All documents, the states of a job and the columns of the dashboard."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    found = documents.every()
    data = {
        "documents": [
            {"name": document.name, "title": document.title, "url": document.url}
            for document in found
        ],
        "states": STATE_HELP,
        "columns": {title: meaning for _key, title, meaning in COLUMNS},
    }
    context = {"documents": found, "states": STATE_HELP, "columns": COLUMNS}
    now = database_now()
    return respond(request, "monitor/help/index.html", data=data, context=context, now=now)


@page
def document(request: HttpRequest, name: str) -> HttpResponseBase:
    """One document."""
    Params(request.GET, known=("format",)).choice("format", PLAIN)
    found, now = documents.read(name), database_now()
    data, context = found.as_json(), {"document": found}
    return respond(request, "monitor/help/document.html", data=data, context=context, now=now)
