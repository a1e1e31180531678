"""Where pilots report: one report at an address, or many at another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from rest_framework.request import Request

from jobs import report
from jobs.api.answers import ReportAnswer, ReportsAnswer, documented
from jobs.api.bodies import REPORTS_BODY_MAX, TAIL_MAX, ReportBody, ReportsBody
from jobs.api.pilot import PilotView, not_too_often
from jobs.identity import Caller
from pandasite.base import serializers as strict
from pandasite.base.errors import DomainError, TooMuch, field_error
from pandasite.base.problems import problem_of
from pandasite.base.views import json_answer

DIAG_MAX = 500
ERROR_FIELDS = ("pilot_error_code", "pilot_error_diag", "exe_error_code", "exe_error_diag")
# Fields of a body that a Report has in another form; all others it has as they are.
NOT_PLAIN = frozenset({*ERROR_FIELDS, "output_files", "log_file"})
PROBLEMS = (400, 404, 409, 411, 413, 415, 422)


class ReportView(PilotView):
    """A heartbeat or the final word on a job that this pilot holds."""

    @documented(request=ReportBody, answers={200: ReportAnswer}, problems=PROBLEMS)
    def post(self, request: Request) -> HttpResponseBase:
        """Answer with the job's state and the command for the pilot, if there is one."""
        _refuse_long_output(request.data, "")
        said = strict.validated(ReportBody, request.data)
        return json_answer(self.for_caller(request, lambda caller: heard(caller, said)))


class ReportsView(PilotView):
    """Reports of many pilots of a site, or of one that holds many jobs."""

    max_body_bytes = REPORTS_BODY_MAX

    @documented(request=ReportsBody, answers={200: ReportsAnswer}, problems=(400, 411, 413, 415))
    def post(self, request: Request) -> HttpResponseBase:
        """Answer each report on its own, in their order: as alone, or with its `problem`.

        A body that is no list of 1 to 500 reports is refused as a whole, and nothing was heard.
        """
        for place, data in _bodies(request.data):
            _refuse_long_output(data, f"reports[{place}].")
        said = strict.validated(ReportsBody, request.data)
        return json_answer(self.for_caller(request, lambda caller: all_heard(caller, said)))


def heard(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a report with a checked body."""
    said, truncated = _report(body)
    not_too_often(caller, f"job {said.panda_id}")
    answer = report.hear(caller=caller, report=said)
    return _answer(said, answer, truncated, settings.PANDASITE["LEASE_SECONDS"])


def all_heard(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """The answers to the reports of a checked body."""
    said = [_report(one) for one in body["reports"]]
    answers = report.hear_all(caller=caller, reports=[one for one, _ in said])
    lease = settings.PANDASITE["LEASE_SECONDS"]  # asked once: it is slow
    outcomes = [
        _refusal(one, answer)
        if isinstance(answer, DomainError)
        else _answer(one, answer, cut, lease)
        for (one, cut), answer in zip(said, answers, strict=True)
    ]
    return {"answers": outcomes}


def _answer(
    said: report.Report, answer: report.Answer, truncated: bool, lease_seconds: int
) -> dict[str, Any]:
    told = {
        "panda_id": said.panda_id,
        "state": answer.state,
        "command": answer.command,
        "lease_seconds": lease_seconds,
        "replayed": answer.replayed,
    }
    return told | {"truncated": True} if truncated else told


def _refusal(said: report.Report, refusal: DomainError) -> dict[str, Any]:
    problem = problem_of(refusal)
    body = problem.body(None)
    del body["request_id"]  # the whole call has one
    return {"panda_id": said.panda_id, "problem": {"status": problem.status} | body}


def _bodies(data: Any) -> Iterator[tuple[int, Any]]:
    reports = data.get("reports") if isinstance(data, dict) else None
    return iter(enumerate(reports if isinstance(reports, list) else ()))


def _refuse_long_output(data: Any, where: str) -> None:
    tail = data.get("stdout_tail") if isinstance(data, dict) else None
    if isinstance(tail, str) and len(tail) > TAIL_MAX:
        field = f"{where}stdout_tail"
        message = f"{field} must have at most {TAIL_MAX} characters, not {len(tail)}"
        error = field_error(field, message, code="too_large", max=TAIL_MAX)
        raise TooMuch(message, code="too_large", fields=[error])


def _report(said: dict[str, Any]) -> tuple[report.Report, bool]:
    """The report of a checked body; and whether a diagnosis was cut to what the table holds."""
    if NOT_PLAIN.isdisjoint(said):  # as nearly every heartbeat
        return report.Report.of(said), False
    plain = {name: value for name, value in said.items() if name not in NOT_PLAIN}
    errors = {name: said[name] for name in ERROR_FIELDS if name in said}
    cut = {k: v[:DIAG_MAX] if isinstance(v, str) else v for k, v in errors.items()}
    log = said.get("log_file")
    made = report.Report(
        **plain,
        errors=cut,
        output_files=[report.ReportedFile(**f) for f in said.get("output_files", [])],
        log_file=report.ReportedFile(**log) if log else None,
    )
    return made, cut != errors
