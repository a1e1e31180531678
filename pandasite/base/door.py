"""The programs' way in: straight to the view, past what only people's browsers need.

Sessions, cookies, CSRF tokens, messages and page headers cost more than a heartbeat does. A
program brings a token and gets JSON: none of them means anything there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django_structlog.middlewares import RequestMiddleware
from structlog.contextvars import clear_contextvars

GetResponse = Callable[[HttpRequest], HttpResponseBase]
PILOTS: Final = (
    "/rest/v1/pilot/",
    "/server/panda/getJob",
    "/server/panda/update",
    "/api/v1/pilot/",
    "/api/latest/pilot/",
)
# "/cache/", "/auth/" and what is PanDA's own: see jobs/api/panda.
PROGRAMS: Final = (
    *PILOTS,
    "/rest/v1/jobs",
    "/rest/v1/tasks",
    "/rest/v1/tags",
    "/rest/v1/me",
    "/rest/v1/ddm/",
    "/rest/v1/datasets",
    "/rest/v1/files/",
    "/rest/v1/subscriptions",
    "/server/panda/",
    "/api/",
    "/cache/",
    "/trf/",
    "/auth/",
)
# JSON is no page: nothing of it may be run, framed or shown as something else.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


class _Views(BaseHandler):
    """Django's own way from a request to its view, with no middleware between."""

    def __init__(self) -> None:
        self._view_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self.answer: Any = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]


class DoorMiddleware:
    """Stands before all middleware that pages need, and leaves it out for programs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.pages = get_response
        self.programs: Any = convert_exception_to_response(self._programs)
        self._views = _Views()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(PROGRAMS):
            return cast("HttpResponseBase", self.programs(request))
        return self.pages(request)

    def _programs(self, request: HttpRequest) -> HttpResponseBase:
        request.get_host()  # refuses a name that is not ours, as CommonMiddleware does
        response: HttpResponseBase = self._views.answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


class RequestLogMiddleware(RequestMiddleware):
    """One line per request, but none for a pilot's that went well.

    There are hundreds of those in a second, and each stands in the books already: a claim in the
    job's history, a heartbeat in its lease.
    """

    def __call__(self, request: HttpRequest) -> Any:
        if not request.path_info.startswith(PILOTS):
            return super().__call__(request)
        response = cast("HttpResponse", self.get_response(request))
        if response.status_code >= 400 or hasattr(request, "_raised_exception"):
            self.handle_response(request, response)
        clear_contextvars()
        return response
