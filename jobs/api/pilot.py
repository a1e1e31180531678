"""Two addresses for pilots: claim a job, report on it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from brokerage.models import Site
from datasets.models import StorageElement
from datasets.storage import path_of
from jobs import dispatch, report
from jobs.api.answers import ClaimAnswer, ReportAnswer, documented, key_header
from jobs.api.auth import IsPilot, TokenAuthentication
from jobs.api.bodies import TAIL_MAX, ClaimBody, ReportBody
from jobs.api.keys import fingerprint, idempotency_key
from jobs.models import Job, JobFile, PilotAccount
from pandasite.base.clock import database_now
from pandasite.base.errors import NotAllowed, NotThere, TooMuch, field_error
from pandasite.base.views import JSONView

DIAG_MAX = 500
ERROR_FIELDS = ("pilot_error_code", "pilot_error_diag", "exe_error_code", "exe_error_diag")
# What of a job its pilot is told, under the names of the columns.
TOLD = (
    "job_name", "job_definition_id", "task_id", "prod_source_label", "processing_type",
    "transformation", "job_parameters", "atlas_release", "homepackage", "cmt_config",
    "prod_user_id", "working_group", "core_count", "min_ram_count", "max_disk_count",
    "max_cpu_count",
)  # fmt: skip


class PilotView(JSONView):
    """Common to both: token of a pilot, strict JSON."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsPilot]


class ClaimView(PilotView):
    """One job for this pilot, or the reason why there is none."""

    @documented(
        request=ClaimBody,
        answers={200: ClaimAnswer},
        problems=(400, 404, 409, 411, 413, 415, 422),
        parameters=[key_header(required=True)],
    )
    def post(self, request: Request) -> Response:
        """Answer with a job and its lease, or `job: null` with `reason` and `retry_after` (s)."""
        key = idempotency_key(request, required=True)
        body = ClaimBody(data=request.data)
        body.is_valid(raise_exception=True)
        said = dict(body.validated_data)
        account = _account_at(request, said["site"])
        asked = {name: value for name, value in said.items() if name != "sent_at"}
        claimed = dispatch.claim(
            account=account,
            facts=_facts(said),
            key=key,
            body_sha256=fingerprint(asked),
            now=database_now(),
        )
        return Response(_claim_answer(claimed, account))


def _account_at(request: Request, site: str) -> PilotAccount:
    """The pilot's account, when its token is for this site."""
    account: PilotAccount = request.pilot_account  # type: ignore[attr-defined]
    if account.site.name == site:
        return account
    if not Site.objects.filter(name=site).exists():
        message = f"there is no site {site}"
        raise NotThere(message, code="unknown_site", fields=[field_error("site", message)])
    raise NotAllowed(
        f"this token is for {account.site.name}, not for {site}", code="site_not_allowed"
    )


def _facts(said: dict[str, Any]) -> dispatch.Facts:
    plain = {k: v for k, v in said.items() if k not in ("site", "releases", "labels")}
    releases = tuple((r["release"], r["cmt_config"]) for r in said["releases"])
    return dispatch.Facts(**plain, releases=releases, labels=tuple(said["labels"]))


def _claim_answer(claimed: dispatch.Claimed, account: PilotAccount) -> dict[str, Any]:
    if claimed.job is None:
        return {
            "job": None,
            "retry_after": claimed.retry_after,
            "reason": claimed.reason,
            "message": claimed.message,
        }
    return {"job": _job_answer(claimed.job, claimed.lease_token, account)}


def _job_answer(job: Job, lease_token: str, account: PilotAccount) -> dict[str, Any]:
    files = list(job.files.select_related("file", "dataset"))
    storage = (
        job.storage
        or StorageElement.objects.filter(
            site_storages__site=account.site, site_storages__role="local"
        ).first()
    )
    log_scope, log_lfn = report.log_name(job)
    return {
        "panda_id": job.pk,
        "attempt_nr": job.attempt_nr,
        "lease_token": lease_token,
        "lease_seconds": settings.PANDASITE["LEASE_SECONDS"],
        "heartbeat_seconds": settings.PANDASITE["HEARTBEAT_SECONDS"],
        **{name: getattr(job, name) for name in TOLD},
        "vo": job.vo.name,
        "input_files": [_input(f) for f in files if f.type == JobFile.Type.INPUT],
        "output_files": [_named(f) for f in files if f.type == JobFile.Type.OUTPUT],
        "log_file": {"lfn": log_lfn, "scope": log_scope, "path": path_of(log_scope, log_lfn)},
        "storage": {"name": storage.name, "url": storage.url} if storage else None,
    }


def _named(f: JobFile) -> dict[str, Any]:
    dataset = f.dataset.name if f.dataset else ""
    return {"lfn": f.lfn, "scope": f.scope, "dataset": dataset, "path": path_of(f.scope, f.lfn)}


def _input(f: JobFile) -> dict[str, Any]:
    known = {name: getattr(f.file, name, None) for name in ("guid", "size", "adler32")}
    return _named(f) | known


class ReportView(PilotView):
    """A heartbeat or the final word on a job that this pilot holds."""

    @documented(
        request=ReportBody,
        answers={200: ReportAnswer},
        problems=(400, 404, 409, 411, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """Answer with the job's state and the command for the pilot, if there is one."""
        _refuse_long_output(request.data)
        body = ReportBody(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        errors, truncated = _errors(said)
        answer = report.hear(
            account=request.pilot_account,  # type: ignore[attr-defined]
            report=_report(said, errors),
            now=database_now(),
        )
        return Response(
            {
                "panda_id": said["panda_id"],
                "state": answer.state,
                "command": answer.command,
                "lease_seconds": settings.PANDASITE["LEASE_SECONDS"],
                "replayed": answer.replayed,
                **({"truncated": True} if truncated else {}),
            }
        )


def _refuse_long_output(data: Any) -> None:
    tail = data.get("stdout_tail") if isinstance(data, dict) else None
    if isinstance(tail, str) and len(tail) > TAIL_MAX:
        message = f"stdout_tail must have at most {TAIL_MAX} characters, not {len(tail)}"
        raise TooMuch(
            message,
            code="too_large",
            fields=[field_error("stdout_tail", message, code="too_large", max=TAIL_MAX)],
        )


def _errors(said: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The error columns, diagnostics cut to what the table holds; and whether one was cut."""
    errors = {name: said[name] for name in ERROR_FIELDS if name in said}
    cut = {k: v[:DIAG_MAX] if isinstance(v, str) else v for k, v in errors.items()}
    return cut, cut != errors


def _report(said: dict[str, Any], errors: dict[str, Any]) -> report.Report:
    plain = {
        name: said[name]
        for name in (
            "panda_id", "attempt_nr", "lease_token", "seq", "state", "sent_at", "start_time",
            "end_time", "cpu_consumption_time", "max_rss_mb", "stdout_tail", "exit_code",
        )
        if name in said
    }  # fmt: skip
    log = said.get("log_file")
    return report.Report(
        **plain,
        errors=errors,
        output_files=[report.ReportedFile(**f) for f in said.get("output_files", [])],
        log_file=report.ReportedFile(**log) if log else None,
    )
