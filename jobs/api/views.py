"""Addresses for people and their programs: submit, read, kill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import services
from jobs.api.answers import (
    LIST_FILTERS,
    JobAnswer,
    JobsAnswer,
    KillAnswer,
    SubmitAnswer,
    documented,
    key_header,
)
from jobs.api.auth import IsPerson, TokenAuthentication
from jobs.api.bodies import KillBody, SubmitBody
from jobs.api.keys import fingerprint, idempotency_key
from jobs.api.listing import job_json, listed, parse_filter
from jobs.api.resolve import specs
from jobs.models import AnyJob
from jobs.submit import Submitted, submit, submitted_before
from pandasite.base import serializers as strict
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError, NotAllowed, NotThere, TooMuch, field_error
from pandasite.base.problems import problem_of
from pandasite.base.snapshot import one_snapshot
from pandasite.base.views import JSONView

SCRIPT_MAX = 65_536  # bytes of UTF-8


class PersonView(JSONView):
    """Common to all: token of a person, strict JSON."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsPerson]


class JobsView(PersonView):
    """Submission and list."""

    max_body_bytes = 16 * 1024 * 1024

    @documented(
        request=SubmitBody,
        answers={201: SubmitAnswer, 200: SubmitAnswer},
        problems=(400, 411, 413, 415, 422),
        parameters=[key_header(required=False)],
    )
    def post(self, request: Request) -> Response:
        """Submit 1 to 1,000 jobs, all or none; 201, or 200 when the key was answered before."""
        key = idempotency_key(request, required=False)
        _refuse_long_scripts(request.data)
        said = strict.validated(SubmitBody, request.data)
        submitted = _submitted(person_of(request), said, key)
        ids = submitted.panda_ids
        jobs = [
            {"panda_id": panda_id, "state": state}
            for panda_id, state in zip(ids, submitted.states or _states(ids), strict=True)
        ]
        answer = {"jobs": jobs, "replayed": submitted.replayed}
        return Response(answer, status=200 if submitted.replayed else 201)

    @documented(
        operation_id="jobs_list",
        answers={200: JobsAnswer},
        problems=(400, 422),
        parameters=list(LIST_FILTERS),
    )
    def get(self, request: Request) -> Response:
        """Jobs, newest first: filters state, site, cloud, task, label, limit, before (PandaID)."""
        wanted = parse_filter(request.query_params)
        with one_snapshot():
            return Response(listed(wanted))


class JobView(PersonView):
    """One job with its files and history."""

    @documented(answers={200: JobAnswer}, problems=(400, 404))
    def get(self, request: Request, panda_id: int) -> Response:
        """The job; 404 when there is none."""
        return Response(job_json(_job(panda_id)))


class KillView(PersonView):
    """Kill jobs, one's own or (with the right) any."""

    @documented(
        request=KillBody,
        answers={200: KillAnswer, 207: KillAnswer},
        problems=(400, 404, 409, 411, 413, 415),
    )
    def post(self, request: Request) -> Response:
        """One job: its own status. More: a result each, in their order; 207 when one is refused."""
        said = strict.validated(KillBody, request.data)
        reason, ids = said["reason"], said["panda_ids"]
        if len(ids) == 1:
            return Response({"jobs": [_kill(request, ids[0], reason)]})
        results = [_try_to_kill(request, panda_id, reason) for panda_id in ids]
        refused = any("error" in result for result in results)
        return Response({"jobs": results}, status=207 if refused else 200)


def person_of(request: Request) -> User:
    """The user behind the token: `IsPerson` has let nobody else in."""
    return cast(User, request.user)


def _submitted(owner: User, said: dict[str, Any], key: str) -> Submitted:
    body_sha256 = fingerprint(said)
    before = submitted_before(owner=owner, key=key, body_sha256=body_sha256)
    if before is not None:
        return before
    return submit(
        owner=owner,
        specs=specs(said["jobs"], user=owner),
        key=key,
        body_sha256=body_sha256,
        now=database_now(),
    )


def _states(panda_ids: Sequence[int]) -> list[str | None]:
    """Where jobs of an earlier submission are now; None: gone."""
    states = dict(AnyJob.objects.filter(pk__in=panda_ids).values_list("pk", "state"))
    return [states.get(panda_id) for panda_id in panda_ids]


def _job(panda_id: int) -> AnyJob:
    job = AnyJob.objects.filter(pk=panda_id).first() if panda_id < 2**63 else None
    if job is None:
        raise NotThere(f"there is no job {panda_id}")
    return job


def _try_to_kill(request: Request, panda_id: int, reason: str) -> dict[str, Any]:
    try:
        return _kill(request, panda_id, reason)
    except DomainError as error:
        status = problem_of(error).status
        refusal = {"status": status, "error": error.code, "message": error.message}
        return {"panda_id": panda_id} | refusal


def _kill(request: Request, panda_id: int, reason: str) -> dict[str, Any]:
    _may_kill(request, panda_id)
    state = services.kill(
        panda_id, actor=person_of(request).get_username(), reason=reason, now=database_now()
    )
    return {"panda_id": panda_id, "status": 200, "state": state}


def _may_kill(request: Request, panda_id: int) -> None:
    """Strangers are told that there is no such job; members of the working group why not."""
    job = _job(panda_id)
    user = request.user
    if job.owner_id == user.pk or user.has_perm("jobs.kill_any_job", job):
        return
    if job.working_group and user.groups.filter(name=job.working_group).exists():
        raise NotAllowed(f"job {panda_id} belongs to {job.prod_user_id}", code="not_owner")
    raise NotThere(f"there is no job {panda_id}")


def _refuse_long_scripts(data: Any) -> None:
    jobs = data.get("jobs") if isinstance(data, dict) else None
    for i, job in enumerate(jobs if isinstance(jobs, list) else []):
        script = job.get("job_parameters") if isinstance(job, dict) else None
        size = len(script.encode()) if isinstance(script, str) else 0
        if size > SCRIPT_MAX:
            field = f"jobs[{i}].job_parameters"
            message = f"{field} must have at most {SCRIPT_MAX} bytes of UTF-8, not {size}"
            error = field_error(field, message, code="too_large", max=SCRIPT_MAX)
            raise TooMuch(message, code="too_large", fields=[error])
