"""The two doors: `/server/panda/<method>` and `/api/<version>/<module>/<method>`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from jobs.api.panda import answers, endpoints
from jobs.api.panda.answers import Refused
from jobs.api.panda.client import doors
from jobs.api.panda.endpoints import Endpoint
from pandasite.base.problems import logged

WORDS = ("updateJob", "updateJobsInBulk")
Answer = Callable[[HttpRequest, Any], HttpResponse]


def legacy(request: HttpRequest, method: str) -> HttpResponse:
    """PanDA's old addresses."""
    endpoint = endpoints.TABLE.get(f"/server/panda/{method}")
    problem = answers.word_problem if method in WORDS else answers.plain_problem
    ways = (answers.plain, answers.plain_refusal, problem)
    return _forbidden(method) if endpoint is None else _answer(request, endpoint, *ways)


def v1(request: HttpRequest, module: str, method: str) -> HttpResponse:
    """PanDA's present addresses."""
    path = f"/api/v1/{module}/{method}"
    endpoint = endpoints.TABLE.get(path)
    problem = answers.client_problem if path in doors.HANDLERS else answers.envelope_problem
    ways = (answers.envelope, answers.envelope_refusal, problem)
    return _forbidden(f"{module}/{method}") if endpoint is None else _answer(
        request, endpoint, *ways
    )  # fmt: skip


def _forbidden(name: str) -> HttpResponse:
    """As PanDA answers for what it does not have."""
    text = f"ERROR : method {name[:100]} is forbidden"
    return HttpResponse(text, content_type="text/plain; charset=utf-8", status=403)


def _answer(
    request: HttpRequest, endpoint: Endpoint, told: Answer, refusal: Answer, problem: Answer
) -> HttpResponse:
    """Every error becomes an answer in the form of this door."""
    try:
        return told(request, endpoint.answer(request))
    except Refused as refused:
        return refusal(request, refused)
    except Exception as error:  # noqa: BLE001 - as DRF's exception_handler
        return problem(request, logged(error))
