"""Where pilots claim a job, and what all views for pilots have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpResponseBase
from rest_framework.request import Request

from brokerage.models import Site
from datasets.storage import path_of
from jobs import dispatch
from jobs.api.answers import RETRY_AFTER, ClaimAnswer, documented, key_header
from jobs.api.auth import KNOWN, IsPilot, PilotAuthentication
from jobs.api.bodies import ClaimBody
from jobs.api.keys import fingerprint, idempotency_key
from jobs.api.signed import sign
from jobs.identity import Caller, TokenGone
from jobs.models import JobFile
from jobs.said import log_name
from jobs.sandboxes.needs import needs_of
from pandasite.base import rate
from pandasite.base import serializers as strict
from pandasite.base.errors import NotAllowed, NotThere, field_error
from pandasite.base.views import JSONView, json_answer

# What of a job its pilot is told, under the names that dispatch has for it.
TOLD = (
    "panda_id", "attempt_nr", "lease_token", "vo", "storage", "job_name", "job_definition_id",
    "task_id", "prod_source_label", "processing_type",
    "transformation", "job_parameters", "atlas_release", "homepackage", "cmt_config",
    "prod_user_id", "working_group", "core_count", "min_ram_count", "max_disk_count",
    "max_cpu_count",
)  # fmt: skip


MET = "pandasite.met"  # in the environment of a request: the error that the short way came to
T = TypeVar("T")
Told = tuple[dict[str, Any], dict[str, str]]  # the body of an answer, and its headers
Asks = Callable[[Callable[[Callable[[], Told]], object]], None]  # calls what it is given: then


class PilotView(JSONView):
    """Common to both: token of a pilot, strict JSON."""

    authentication_classes = [PilotAuthentication]
    permission_classes = [IsPilot]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As DRF has it; what the short way (jobs/api/lane.py) has met is answered here."""
        super().initial(request, *args, **kwargs)
        if (error := request.META.pop(MET, None)) is not None:
            raise error

    def for_caller(self, request: Request, work: Callable[[Caller], T]) -> T:
        """What `work` makes; a token that does not hold any more is looked up anew, once."""
        try:
            return work(request.auth)  # type: ignore[arg-type]
        except TokenGone:
            KNOWN.clear()
            # Raises for a token that is none. That there is one in the header has been seen before.
            request.user, request.auth = PilotAuthentication().authenticate(request)
            self.check_permissions(request)
            return work(request.auth)


class ClaimView(PilotView):
    """One job for this pilot or some, or the reason why there is none."""

    @documented(
        request=ClaimBody,
        answers={200: ClaimAnswer},
        problems=(400, 404, 409, 411, 413, 415, 422),
        parameters=[key_header(required=True), RETRY_AFTER],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Answer with a job and its lease, or `job: null` with `reason` and `retry_after` (s).

        `retry_after` is told in the header `Retry-After` as well.

        Who asks for `n_jobs` gets `jobs`, a list, in the place of `job`.
        """
        key = idempotency_key(request, required=True)
        said = strict.validated(ClaimBody, request.data)

        def work(caller: Caller) -> Told:
            must_be_at(said["site"], caller)
            return claimed(caller, said, key)

        body, headers = self.for_caller(request, work)
        return json_answer(body, headers=headers)


def claimed(caller: Caller, said: dict[str, Any], key: str) -> Told:
    """The answer to a claim with a checked body, and its headers."""
    found = dispatch.claim(**_question(caller, said, key), n_jobs=said.get("n_jobs", 1))
    return _told(found, bulk="n_jobs" in said)


def claimed_later(caller: Caller, said: dict[str, Any], key: str) -> Asks | None:
    """What asks for the answer of `claimed` without waiting; None where that has to be asked."""
    if not dispatch.may_be_together(said.get("n_jobs", 1)):
        return None
    question = _question(caller, said, key)
    bulk = "n_jobs" in said

    def ask(then: Callable[[Callable[[], Told]], object]) -> None:
        dispatch.claim_later(lambda find: then(lambda: _told(find(), bulk=bulk)), **question)

    return ask


def not_too_often(caller: Caller, who: str) -> None:
    """TooOften when this pilot of the account calls all the time."""
    most = settings.PANDASITE["NODE_CALLS"]
    rate.count_often("pilot", f"{caller.account_id} {who}", most=most)


def must_be_at(site: str, caller: Caller) -> None:
    """The token is for this site."""
    if caller.site == site:
        return
    if not Site.objects.filter(name=site).exists():
        message = f"there is no site {site}"
        raise NotThere(message, code="unknown_site", fields=[field_error("site", message)])
    raise NotAllowed(f"this token is for {caller.site}, not for {site}", code="site_not_allowed")


def _question(caller: Caller, said: dict[str, Any], key: str) -> dict[str, Any]:
    """A claim as `dispatch` wants it, but for `n_jobs`. Raises TooOften."""
    not_too_often(caller, f"{said['node']} {said['pilot_id']}")
    asked = {name: value for name, value in said.items() if name != "sent_at"}
    plain = {k: v for k, v in said.items() if k not in ("site", "releases", "labels", "n_jobs")}
    releases = tuple((r["release"], r["cmt_config"]) for r in said["releases"])
    facts = dispatch.Facts(**plain, releases=releases, labels=tuple(said["labels"]))
    return {"caller": caller, "key": key, "body_sha256": fingerprint(asked), "facts": facts}


def _told(found: dispatch.Claimed, *, bulk: bool) -> Told:
    wait = {} if found.jobs else {"Retry-After": str(found.retry_after)}
    return _claim_answer(found, bulk=bulk), wait


def _claim_answer(claimed: dispatch.Claimed, *, bulk: bool) -> dict[str, Any]:
    needs = needs_of(claimed.jobs)
    jobs = [_job_answer(job) | needs.get(job["panda_id"], {}) for job in claimed.jobs]
    if jobs:
        return {"jobs": jobs} if bulk else {"job": jobs[0]}
    return {
        **({"jobs": []} if bulk else {"job": None}),
        "retry_after": claimed.retry_after,
        "reason": claimed.reason,
        "message": claimed.message,
    }


def _job_answer(job: dict[str, Any]) -> dict[str, Any]:
    scope, lfn = log_name(job["panda_id"], job["attempt_nr"])
    return sign(
        {
            **{name: job[name] for name in TOLD},
            "lease_seconds": settings.PANDASITE["LEASE_SECONDS"],
            "heartbeat_seconds": settings.PANDASITE["HEARTBEAT_SECONDS"],
            "input_files": [_input(f) for f in job["files"] if f["type"] == JobFile.Type.INPUT],
            "output_files": [_named(f) for f in job["files"] if f["type"] == JobFile.Type.OUTPUT],
            "log_file": {"lfn": lfn, "scope": scope, "path": path_of(scope, lfn)},
        }
    )


def _named(f: dict[str, Any]) -> dict[str, Any]:
    named = {name: f[name] for name in ("lfn", "scope", "dataset")}
    return named | {"path": path_of(f["scope"], f["lfn"])}


def _input(f: dict[str, Any]) -> dict[str, Any]:
    return _named(f) | {name: f[name] for name in ("guid", "size", "adler32")}
