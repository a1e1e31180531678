"""The two forms of an answer: plain objects with a StatusCode, and the envelope of v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from rest_framework.utils.encoders import JSONEncoder

from pandasite.base.problems import Problem

JSON: Final = "application/json"
# PanDA's StatusCodes.
OK, TIME_OUT, NO_JOBS, FAILED, INVALID, ROLE, PERMISSION, NO_KEY, NO_PROXY = (
    0, 10, 20, 30, 50, 60, 70, 80, 90,
)  # fmt: skip
CODES: Final = {401: INVALID, 403: ROLE, 429: TIME_OUT, 503: TIME_OUT}
OF_THE_BODY: Final = (400, 411, 413, 415)  # what its sender can do something about
MAY_GO_WELL: Final = (401, 403, 408, 429)  # a token may be renewed, an account be let in again


@dataclass(frozen=True, kw_only=True)
class Told:
    """A success that says something: v1 has `message` for it."""

    message: str
    data: Any = None


class Refused(Exception):
    """A refusal that PanDA itself would put into an answer of 200."""

    def __init__(self, message: str, *, status_code: int = FAILED, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.data = data


def plain(request: HttpRequest, told: Any, **more: Any) -> HttpResponse:
    """An answer of `/server/panda/`: JSON, but the form of old to who asks for no JSON."""
    if isinstance(told, str):
        return HttpResponse(told, content_type="text/plain; charset=utf-8", **more)
    if _wants_json(request) or not isinstance(told, dict):
        return _json(told, **more)
    return HttpResponse(urlencode(told), content_type="text/plain; charset=utf-8", **more)


def plain_refusal(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """A refusal that is an answer."""
    return plain(request, {"StatusCode": refusal.status_code, "message": refusal.message})


def plain_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    """A problem, with the status that it has and the StatusCode that pilots look at."""
    told = {"StatusCode": CODES.get(problem.status, FAILED), "code": problem.code}
    told |= {"message": problem.message, "fields": list(problem.fields)}
    return plain(request, told, status=problem.status, headers=dict(problem.headers))


def word_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    """A problem of updateJob. What may go well next time must not be JSON.

    The pilots 3.7 look at no status, and take any JSON for word that they were heard: a last word
    would be lost. Of anything else they try ten times, two minutes apart.
    """
    if problem.status < 500 and problem.status not in MAY_GO_WELL:
        return plain_problem(request, problem)
    text = f"ERROR : {problem.message}"
    return plain(request, text, status=problem.status, headers=dict(problem.headers))


def envelope(_request: HttpRequest, data: Any) -> HttpResponse:
    """An answer of v1."""
    told = data if isinstance(data, Told) else Told(message="", data=data)
    return _json({"success": True, "message": told.message, "data": told.data})


def envelope_refusal(_request: HttpRequest, refusal: Refused) -> HttpResponse:
    """A refusal that is an answer."""
    return _json({"success": False, "message": refusal.message, "data": refusal.data})


def envelope_problem(_request: HttpRequest, problem: Problem) -> HttpResponse:
    """A problem, with the status that it has: v1 has no word for it but `message`."""
    told = {"success": False, "message": problem.message, "data": None}
    more = {"code": problem.code, "fields": list(problem.fields)}
    return _json(told | more, status=problem.status, headers=dict(problem.headers))


def client_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The same for panda-client, which shows nothing of what does not come with 200."""
    if problem.status in OF_THE_BODY:
        return envelope_refusal(request, Refused(problem.message))
    return envelope_problem(request, problem)


def _wants_json(request: HttpRequest) -> bool:
    """3.11 sends JSON and says nothing of what it takes."""
    return JSON in request.headers.get("Accept", "") or request.content_type == JSON


def _json(told: Any, **more: Any) -> HttpResponse:
    return HttpResponse(JSONEncoder().encode(told), content_type=JSON, **more)
