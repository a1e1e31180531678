"""A site of a few pages, to see the middleware and the error pages from outside."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tests.base.probe import ProbeView


def crash(request: HttpRequest) -> HttpResponse:
    raise ValueError("/srv/secret/path")


def database_away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("server closed the connection unexpectedly")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def echo(request: HttpRequest) -> HttpResponse:
    meta: dict[str, Any] = request.META
    return JsonResponse({"request_id": meta["HTTP_X_REQUEST_ID"], "get": dict(request.GET)})


urlpatterns = [
    path("rest/probe", ProbeView.as_view()),
    path("rest/crash", crash),
    path("rest/away", database_away),
    path("crash", crash),
    path("away", database_away),
    path("forbidden", forbidden),
    path("echo", echo),
]
handler400 = "pandasite.base.problems.bad_request"
handler403 = "pandasite.base.problems.permission_denied"
handler404 = "pandasite.base.problems.page_not_found"
handler500 = "pandasite.base.problems.server_error"
