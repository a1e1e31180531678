"""What every request gets, whether DRF, a page or the admin answers it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import LazyObject, empty
from django_structlog import signals

from pandasite.base.problems import JSON_PATHS, Problem, answer, problem_of
from pandasite.base.rate import TooOften

GetResponse = Callable[[HttpRequest], HttpResponseBase]
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
# CSP, HSTS, nosniff, frame and referrer rules come from Django and django-csp.
SECURITY_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}


class RequestIdMiddleware:
    """Gives the request its id: a harmless `X-Request-ID` of the client, else a new one.

    Sets `request.request_id`, the header that django-structlog reads, and `X-Request-ID` on the
    answer. Must stand outside of django-structlog's middleware.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        request.META["HTTP_X_REQUEST_ID"] = request_id
        request.request_id = request_id  # type: ignore[attr-defined]
        # Threads are used again: begin without what a broken request may have left behind.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id, ip=request.META.get("REMOTE_ADDR")
        )
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response


class TooOftenMiddleware:
    """A view that was called too often answers 429, also where the view is not ours."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        return answer(request, problem_of(exception)) if isinstance(exception, TooOften) else None


class NullCharacterMiddleware:
    """Refuses U+0000 in path and query: no page can mean it and PostgreSQL errors on it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        query = request.META.get("QUERY_STRING", "")
        if "\0" in request.path_info or "%00" in query or "\0" in query:
            message = "the address must not contain the character U+0000"
            return answer(request, Problem(status=400, code="null_character", message=message))
        return self.get_response(request)


class SecurityHeadersMiddleware:
    """Security headers that neither Django nor django-csp sets; API answers are never cached."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path.startswith(JSON_PATHS):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


@receiver(signals.bind_extra_request_finished_metadata)
def _add_user(request: HttpRequest, log_kwargs: dict[str, Any], **_: Any) -> None:
    """Name the user in the request's line, if the request has looked for one."""
    user = request.__dict__.get("user")
    # An unopened lazy user would now cost a query, also when the database is away.
    if isinstance(user, LazyObject) and user._wrapped is empty:
        return
    if (user_id := getattr(user, "pk", None)) is not None:
        log_kwargs["user_id"] = user_id
