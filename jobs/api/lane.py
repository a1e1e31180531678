"""The short way of what pilots ask hundreds of times a second: past Django and DRF.

A claim or a heartbeat costs more in a framework than in the database. One in which nothing is
amiss is answered here, with the very functions that the views call, and with the headers that the
long way gives. Whatever is not plainly right (an unknown token, another host, a field that is
wrong, a header that is rare) has not been looked at yet when `answer` says None, and goes the long
way, which knows the words for it. So does an error of the work itself, which the view then raises
in the place of doing the work again.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_started
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.security import SecurityMiddleware

from jobs.api.auth import KNOWN
from jobs.api.bodies import REPORTS_BODY_MAX, ClaimBody, ReportBody, ReportsBody
from jobs.api.keys import KEY
from jobs.api.pilot import MET, Asks, Told, claimed, claimed_later
from jobs.api.report import all_heard, heard
from jobs.identity import Caller, TokenGone
from jobs.many_claims import THREADS
from pandasite.base import serializers as strict
from pandasite.base.door import HEADERS
from pandasite.base.errors import DomainError
from pandasite.base.json import DEFAULT_MAX_BYTES, loads_fields
from pandasite.base.later import LATER
from pandasite.base.middleware import REQUEST_ID, SECURITY_HEADERS
from pandasite.base.plain import NotPlain
from pandasite.base.views import json_text

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
Work = Callable[[Caller, dict[str, Any], str], Told]
WorkLater = Callable[[Caller, dict[str, Any], str], Asks | None]
TYPE = "application/json"
_REQUEST_ID = "HTTP_X_REQUEST_ID"
# Headers with which a request is not what this way is for.
RARE = ("QUERY_STRING", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT")
_LENGTH = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One address: how its bodies are checked, and what is done with one."""

    body: type[strict.StrictSerializer]
    work: Work
    later: WorkLater | None = None  # the same, where no thread has to wait for the answer
    keyed: bool = False
    max_bytes: int = DEFAULT_MAX_BYTES


LANES: Mapping[str, Lane] = {
    "/rest/v1/pilot/claim": Lane(body=ClaimBody, work=claimed, later=claimed_later, keyed=True),
    "/rest/v1/pilot/report": Lane(
        body=ReportBody, work=lambda caller, said, _key: (heard(caller, said), {})
    ),
    "/rest/v1/pilot/reports": Lane(
        body=ReportsBody,
        work=lambda caller, said, _key: (all_heard(caller, said), {}),
        max_bytes=REPORTS_BODY_MAX,
    ),
}


def answer(environ: Environ, start_response: Any, long_way: Application) -> list[bytes] | None:
    """The answer; None: `environ` goes the long way, its body unread or put back."""
    lane = LANES.get(environ["PATH_INFO"])
    if lane is None or not _is_plain(environ, lane):
        return None
    caller = _caller(environ)
    if caller is None:
        return None
    _name_request(environ)
    try:
        said = _said(environ, lane, caller)
        request_started.send(sender=WSGIHandler, environ=environ)  # looks after the connections
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
        if LATER in environ and lane.later and (asks := lane.later(caller, said, key)):
            asks(_Reply(environ, long_way))
            return []
        head, data = _whole(lane.work(caller, said, key), environ)
    except (NotPlain, TokenGone):
        return None
    except (DomainError, DatabaseError, InterfaceError) as error:
        environ[MET] = error
        return None
    finally:
        structlog.contextvars.clear_contextvars()
    start_response("200 OK", head)
    return [data]


class _Reply:
    """The answer to a request for which no thread waits, given by whoever calls it."""

    def __init__(self, environ: Environ, long_way: Application) -> None:
        self._environ, self._long_way = environ, long_way
        self._respond = environ.pop(LATER).take()

    def __call__(self, find: Callable[[], Told]) -> None:
        try:
            head, data = _whole(find(), self._environ)
        except TokenGone:
            THREADS.submit(self._go_the_long_way)
        except (DomainError, DatabaseError, InterfaceError) as error:
            self._environ[MET] = error
            THREADS.submit(self._go_the_long_way)
        else:
            self._respond(200, head, data)

    def _go_the_long_way(self) -> None:
        head: list[Any] = []
        pieces = self._long_way(self._environ, lambda *given: head.extend(given[:2]))
        self._respond(int(head[0].split()[0]), head[1], b"".join(pieces))


def _whole(told: Told, environ: Environ) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body."""
    body, headers = told
    data = json_text(body).encode()
    own = {**headers, "Content-Length": str(len(data)), "X-Request-ID": environ[_REQUEST_ID]}
    return [*_headers(_is_secure(environ)), *own.items()], data


def _is_plain(environ: Environ, lane: Lane) -> bool:
    """Whether the head of the request has nothing that only the long way understands."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == TYPE
        and environ.get("HTTP_ACCEPT", TYPE) in (TYPE, "*/*")
        and not any(environ.get(name) for name in RARE)
        and _LENGTH.fullmatch(length) is not None
        and int(length) <= lane.max_bytes
        and (not lane.keyed or KEY.fullmatch(environ.get("HTTP_IDEMPOTENCY_KEY", "")) is not None)
        and (_is_secure(environ) or not settings.SECURE_SSL_REDIRECT)
        and _is_ours(environ.get("HTTP_HOST", ""))
    )


def _is_ours(host: str) -> bool:
    if settings.USE_X_FORWARDED_HOST:
        return False
    domain = split_domain_port(host)[0]
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _is_secure(environ: Environ) -> bool:
    """As `HttpRequest.is_secure`."""
    if settings.SECURE_PROXY_SSL_HEADER:
        name, wanted = settings.SECURE_PROXY_SSL_HEADER
        if (given := environ.get(name)) is not None:
            return bool(given.split(",", 1)[0].strip() == wanted)
    return bool(environ["wsgi.url_scheme"] == "https")


def _caller(environ: Environ) -> Caller | None:
    """Who brings a token that was looked up before; the work asks whether it is still good."""
    words = environ.get("HTTP_AUTHORIZATION", "").split()
    if len(words) != 2 or words[0].lower() != "token":
        return None
    return KNOWN.get(words[1].encode("iso-8859-1"))


def _name_request(environ: Environ) -> None:
    """As RequestIdMiddleware; the long way finds it in its header."""
    given = environ.get(_REQUEST_ID, "")
    request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    environ[_REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, ip=environ.get("REMOTE_ADDR"))


def _said(environ: Environ, lane: Lane, caller: Caller) -> dict[str, Any]:
    """The checked body. NotPlain where the long way has something to say about it."""
    length = int(environ["CONTENT_LENGTH"])
    try:
        raw = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(raw)
        data = loads_fields(raw, max_bytes=lane.max_bytes)
    except (OSError, DomainError) as error:
        raise NotPlain from error
    if len(raw) != length:
        raise NotPlain
    said: dict[str, Any] = strict.at_first_sight(lane.body, data)
    if said.get("site", caller.site) != caller.site:
        raise NotPlain
    return said


@cache
def _headers(secure: bool) -> list[tuple[str, str]]:
    """What the middleware gives to every JSON answer, asked once."""
    scheme = "https" if secure else "http"
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": scheme}
    if secure and settings.SECURE_PROXY_SSL_HEADER:
        environ.update([settings.SECURE_PROXY_SSL_HEADER])
    fixed = {"Allow": "POST, OPTIONS", "Cache-Control": "no-store"}
    response = HttpResponse(content_type=TYPE, headers=fixed)
    SecurityMiddleware(lambda _: response).process_response(WSGIRequest(environ), response)
    for name, value in {**HEADERS, **SECURITY_HEADERS}.items():
        response.headers.setdefault(name, value)
    return list(response.items())
