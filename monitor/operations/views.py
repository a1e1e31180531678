"""The pages of those who run the site."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.gzip import gzip_page

from monitor import recent, sheets
from monitor.dashboard import Dashboard
from monitor.operations import clouds as cloud_page
from monitor.operations import configuration as kept
from monitor.operations import servers as server_page
from monitor.operations.tables import PartSheet
from monitor.pages import for_readers, page, respond
from monitor.params import Params
from monitor.words import COLUMNS, DEFAULT_HOURS, KINDS, WINDOWS
from pandasite.base import broker
from pandasite.base.clock import database_now
from pandasite.base.snapshot import one_snapshot


@gzip_page
@for_readers
def servers(request: HttpRequest) -> HttpResponseBase:
    """Every server and sweep; with `?table=` one of the tables, to sort and to take along."""
    params = Params(request.GET, known=("table", *sheets.PARAMS))
    table = params.choice("table", server_page.TABLES)
    if not table:
        Params(request.GET, known=("format",)).choice("format", ("html", "json"))
    asked = broker.look(broker.queues())  # it may take its time: no transaction waits for it
    with one_snapshot():
        now = database_now()
        found = server_page.read(now=now, broker=asked)
        if table:
            sheet = server_page.sheet(table, found)
            template = "monitor/operations/table.html"
            above = {"title": f"Servers: {table}", "back": request.path, "above": "Servers"}
            return sheets.respond(request, template, sheet, params=params, context=above, now=now)
        shown = {
            name: server_page.sheet(name, found, orderable=False) for name in server_page.TABLES
        }
        context = {"found": found, "sheets": shown, "path": request.get_full_path()}
        data = found.as_json()
        return respond(
            request, "monitor/operations/servers.html", data=data, context=context, now=now
        )


@page
def clouds(request: HttpRequest) -> HttpResponseBase:
    """All clouds in numbers."""
    params = Params(request.GET, known=("hours", "kind", *sheets.PARAMS))
    board = _board(params)
    rows = cloud_page.rows(board)
    template, context = "monitor/operations/clouds.html", _choices(board)
    facts = {"hours": board.hours, "kind": board.kind or "all"}
    return sheets.respond(
        request,
        template,
        cloud_page.CloudSheet(rows),
        params=params,
        context=context,
        now=board.now,
        facts=facts,
    )


@page
def cloud(request: HttpRequest, name: str) -> HttpResponseBase:
    """One cloud."""
    params = Params(request.GET, known=("hours", "kind", "format"))
    board = _board(params)
    found = cloud_page.page(name, board)
    if params.choice("format", sheets.FORMATS) == "csv":
        return sheets.csv_response(found.as_rows(), name=f"cloud_{name}")
    context = {"page": found, "block": found.block, "columns": COLUMNS, **_choices(board)}
    data, template = found.as_json(), "monitor/operations/cloud.html"
    return respond(request, template, data=data, context=context, now=board.now)


def _board(params: Params) -> Dashboard:
    """The dashboard of the window and kind of jobs that the address asks for."""
    hours = int(params.choice("hours", map(str, WINDOWS), default=str(DEFAULT_HOURS)))
    return recent.board(hours=hours, kind=params.choice("kind", KINDS)).board


def _choices(board: Dashboard) -> dict[str, object]:
    return {"board": board, "windows": WINDOWS, "kinds": KINDS}


@page
def configuration(request: HttpRequest) -> HttpResponseBase:
    """What the admin keeps: an overview, or with `?what=` one of its tables."""
    params = Params(request.GET, known=("what", *sheets.PARAMS))
    what, now = params.choice("what", kept.PARTS), database_now()
    template = "monitor/operations/configuration.html"
    parts = [(key, part.title) for key, part in kept.PARTS.items()]
    context: dict[str, object] = {"parts": parts, "what": what}
    if not what:
        lines = kept.overview(request.user, path=request.path)
        edits = any(line["admin_url"] for line in lines)
        sheet: sheets.Sheet = PartSheet(lines, exclude=() if edits else ("edit",))
    else:
        part = kept.PARTS[what]
        sheet = part.sheet(part.rows())
        context |= {"part": part, "admin_url": part.admin_url(request.user)}
    return sheets.respond(request, template, sheet, params=params, context=context, now=now)
