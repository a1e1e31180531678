"""What the addresses answer, for the OpenAPI document. Tests hold real answers against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from jobs.api.job_needs import Program, SandboxToFetch, Storage
from jobs.api.keys import HEADER
from jobs.api.listing import LIMIT_MAX
from jobs.labels import LABELS
from jobs.models import ERROR_COMPONENTS, JobFile
from jobs.states import JobState

PROBLEM_TYPE = "application/problem+json"
STATES = tuple(state.value for state in JobState)
TOLD_TO_END = ("tobekilled",)


class FieldProblem(s.Serializer[Any]):
    """One wrong field: where it is, in which way it is wrong, and what it may be."""

    field = s.CharField()
    code = s.CharField()
    message = s.CharField()
    limit = s.JSONField(required=False)


class ProblemAnswer(s.Serializer[Any]):
    """Every refusal. Some carry further keys: `command`, `legal`, `missing`, `retry_after`."""

    code = s.CharField()
    message = s.CharField()
    fields = FieldProblem(many=True)  # type: ignore[assignment]
    request_id = s.CharField(allow_null=True)


class LogName(s.Serializer[Any]):
    """What the log tarball of this attempt has to be called; `url` as in the other files."""

    lfn = s.CharField()
    scope = s.CharField()
    path = s.CharField()
    url = s.CharField(required=False)


class NamedFile(LogName):
    """A file, its path below the storage's address, and for S3 a `url` signed for it alone."""

    dataset = s.CharField(allow_blank=True)


class InputFile(NamedFile):
    """Size in bytes, adler32 as 8 hex digits."""

    guid = s.CharField(allow_null=True)
    size = s.IntegerField(allow_null=True)
    adler32 = s.CharField(allow_null=True)


class JobToRun(s.Serializer[Any]):
    """A job as its pilot gets it. Times in s, memory and disk in MB."""

    panda_id = s.IntegerField()
    attempt_nr = s.IntegerField()
    lease_token = s.CharField()
    lease_seconds = s.IntegerField()
    heartbeat_seconds = s.IntegerField()
    job_name = s.CharField()
    job_definition_id = s.IntegerField(allow_null=True)
    task_id = s.IntegerField(allow_null=True)
    prod_source_label = s.ChoiceField(choices=LABELS)
    processing_type = s.CharField(allow_blank=True)
    transformation = s.CharField()
    job_parameters = s.CharField(allow_blank=True)
    atlas_release = s.CharField(allow_blank=True)
    homepackage = s.CharField(allow_blank=True)
    cmt_config = s.CharField(allow_blank=True)
    prod_user_id = s.CharField()
    working_group = s.CharField(allow_blank=True)
    core_count = s.IntegerField()
    min_ram_count = s.IntegerField()
    max_disk_count = s.IntegerField()
    max_cpu_count = s.IntegerField()
    vo = s.CharField()
    input_files = InputFile(many=True)
    output_files = NamedFile(many=True)
    log_file = LogName()
    storage = Storage(allow_null=True)
    program = Program(required=False)
    sandbox = SandboxToFetch(required=False, allow_null=True)


class ClaimAnswer(s.Serializer[Any]):
    """A job, or null with the reason and the seconds until it is worth asking again.

    Who asked for `n_jobs` gets `jobs` in the place of `job`.
    """

    job = JobToRun(allow_null=True, required=False)
    jobs = JobToRun(many=True, required=False)
    retry_after = s.IntegerField(required=False)
    reason = s.CharField(required=False)
    message = s.CharField(required=False)


class ReportAnswer(s.Serializer[Any]):
    """The job's state after the report, and what the pilot is to do."""

    panda_id = s.IntegerField()
    state = s.ChoiceField(choices=STATES)
    command = s.ChoiceField(choices=TOLD_TO_END, allow_null=True)
    lease_seconds = s.IntegerField()
    replayed = s.BooleanField()
    truncated = s.BooleanField(required=False)


class ReportProblem(s.Serializer[Any]):
    """Why a report was refused, as `ProblemAnswer` has it; `status` is what it had been alone."""

    status = s.IntegerField()
    code = s.CharField()
    message = s.CharField()
    fields = FieldProblem(many=True)  # type: ignore[assignment]


class ReportOutcome(s.Serializer[Any]):
    """What became of one report of many: its answer, or its problem."""

    panda_id = s.IntegerField()
    state = s.ChoiceField(choices=STATES, required=False)
    command = s.ChoiceField(choices=TOLD_TO_END, allow_null=True, required=False)
    lease_seconds = s.IntegerField(required=False)
    replayed = s.BooleanField(required=False)
    truncated = s.BooleanField(required=False)
    problem = ReportProblem(required=False)


class ReportsAnswer(s.Serializer[Any]):
    """In the order of the reports."""

    answers = ReportOutcome(many=True)


class SubmittedJob(s.Serializer[Any]):
    """A job of the submission, in its order; state null when it is gone by now."""

    panda_id = s.IntegerField()
    state = s.ChoiceField(choices=STATES, allow_null=True)


class SubmitAnswer(s.Serializer[Any]):
    """`replayed`: the key was answered before, with these jobs."""

    jobs = SubmittedJob(many=True)
    replayed = s.BooleanField()


class KillResult(s.Serializer[Any]):
    """`status` is the HTTP status that this job alone would have had."""

    panda_id = s.IntegerField()
    status = s.IntegerField()
    state = s.ChoiceField(choices=STATES, required=False)
    error = s.CharField(required=False)
    message = s.CharField(required=False)


class KillAnswer(s.Serializer[Any]):
    """One result per job, in the order of the request."""

    jobs = KillResult(many=True)


class JobError(s.Serializer[Any]):
    """An error with the part of the system that names it."""

    component = s.ChoiceField(choices=ERROR_COMPONENTS)
    code = s.IntegerField()
    diag = s.CharField(allow_blank=True)


class JobSummary(s.Serializer[Any]):
    """A job in a list."""

    panda_id = s.IntegerField()
    job_name = s.CharField()
    state = s.ChoiceField(choices=STATES)
    prod_source_label = s.ChoiceField(choices=LABELS)
    task = s.CharField(allow_null=True)
    task_id = s.IntegerField(allow_null=True)
    vo = s.CharField()
    prod_user_id = s.CharField()
    cloud = s.CharField(allow_null=True)
    computing_site = s.CharField(allow_null=True)
    node = s.CharField(allow_blank=True)
    current_priority = s.IntegerField()
    attempt_nr = s.IntegerField()
    max_attempt = s.IntegerField()
    retry_of = s.IntegerField(allow_null=True)
    creation_time = s.DateTimeField()
    start_time = s.DateTimeField(allow_null=True)
    end_time = s.DateTimeField(allow_null=True)
    modification_time = s.DateTimeField()
    cpu_consumption_time = s.IntegerField()
    errors = JobError(many=True)  # type: ignore[assignment]


class JobsAnswer(s.Serializer[Any]):
    """A page, newest first; `before` continues it, null at its end."""

    jobs = JobSummary(many=True)
    before = s.IntegerField(allow_null=True)


class KnownFile(s.Serializer[Any]):
    """A file of a job. Size in bytes."""

    type = s.ChoiceField(choices=JobFile.Type.values)
    scope = s.CharField()
    lfn = s.CharField()
    dataset = s.CharField(allow_null=True)
    block = s.CharField(allow_null=True)
    status = s.ChoiceField(choices=JobFile.Status.values)
    guid = s.CharField(allow_blank=True)
    size = s.IntegerField(allow_null=True)
    adler32 = s.CharField(allow_blank=True)
    events = s.IntegerField(allow_null=True)


class JobEventAnswer(s.Serializer[Any]):
    """One state change."""

    seq = s.IntegerField()
    attempt_nr = s.IntegerField()
    from_state = s.CharField(allow_blank=True)
    to_state = s.ChoiceField(choices=STATES)
    actor = s.CharField()
    at = s.DateTimeField()
    reason = s.JSONField()


class JobAnswer(JobSummary):
    """Everything that is known of a job."""

    transformation = s.CharField()
    job_parameters = s.CharField(allow_blank=True)
    job_definition_id = s.IntegerField(allow_null=True)
    atlas_release = s.CharField(allow_blank=True)
    cmt_config = s.CharField(allow_blank=True)
    trans_exit_code = s.IntegerField(allow_null=True)
    max_rss_mb = s.IntegerField()
    files = KnownFile(many=True)
    events = JobEventAnswer(many=True)
    decision = s.JSONField(allow_null=True)


def key_header(*, required: bool) -> OpenApiParameter:
    """The Idempotency-Key header."""
    pattern = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
    return OpenApiParameter(HEADER, pattern, OpenApiParameter.HEADER, required=required)


RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer", "minimum": 1},
    OpenApiParameter.HEADER,
    description="seconds until it is worth asking again; only where there is no job",
    response=[200],
)

LIST_FILTERS = (
    OpenApiParameter("state", OpenApiTypes.STR, enum=STATES),
    *(OpenApiParameter(name, OpenApiTypes.STR) for name in ("site", "cloud", "task", "label")),
    OpenApiParameter("before", {"type": "integer", "minimum": 1}, description="a PandaID"),
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}),
)


def documented(
    *,
    answers: dict[Any, Any],
    problems: Sequence[int] = (),
    **more: Any,
) -> Any:
    """Describe a view's method: its answers, and by which statuses it refuses."""
    refusal = OpenApiResponse(ProblemAnswer)
    common = (401, 403, 406, 429, 503)  # any address may say these
    refusals = {(status, PROBLEM_TYPE): refusal for status in sorted({*problems, *common})}
    return extend_schema(responses={**answers, **refusals}, **more)
