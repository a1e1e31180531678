"""Successors: a job that ended failed stays failed, and a new job tries the same again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

from django.db.models import F

from jobs.errors import precedence
from jobs.history import record_birth
from jobs.models import ERROR_COMPONENTS, ErrorCode, Job, JobColumns, JobEvent, JobFile
from jobs.models.file import JobFileColumns
from jobs.states import QUEUED, JobState
from pandasite.base.nudge import nudge

# What a successor takes over; the rest of it starts empty.
INHERITED = (
    "job_definition_id", "task_id", "job_name", "prod_source_label", "processing_type",
    "transformation", "job_parameters", "atlas_release", "homepackage", "cmt_config", "vo_id",
    "working_group", "owner_id", "prod_user_id", "site_fixed", "cloud_fixed",
    "destination_se_id", "prod_d_block", "destination_d_block", "assigned_priority",
    "current_priority", "max_attempt", "min_ram_count", "max_disk_count", "max_cpu_count",
    "min_cpu_speed", "core_count",
)  # fmt: skip


def make_successors(panda_ids: Collection[int], *, now: dt.datetime) -> list[Job]:
    """New jobs for failed ones that have attempts left and no error that forbids a retry."""
    failed = Job.objects.filter(
        panda_id__in=panda_ids, state=JobState.FAILED, attempt_nr__lt=F("max_attempt")
    )
    hopeless = _do_not_retry()
    worth_it = [
        job for job in failed if not any((c, code) in hopeless for c, code, _ in job.errors())
    ]
    in_queue = _failed_in_queue(worth_it)
    successors = [
        _successor(job, attempt_nr=used, now=now)
        for job in worth_it
        if (used := job.attempt_nr + (job.pk in in_queue)) < job.max_attempt
    ]
    if not successors:
        return []
    Job.objects.bulk_create(successors)
    _give_files({job.retry_of or 0: job for job in successors})
    for successor in successors:
        record_birth([successor], actor="retry", reason={"retry_of": successor.retry_of})
    nudge("jobs.wake")
    return successors


def _do_not_retry() -> set[tuple[str, int]]:
    """Codes that forbid a retry by the first source that explains them.

    Only that row counts, so that what the administrator says there holds.
    """
    rows = ErrorCode.objects.filter(component__in=ERROR_COMPONENTS).values_list(
        "component", "code", "source", "do_not_retry"
    )
    ranked = sorted(rows, key=lambda row: precedence(row[2]), reverse=True)
    in_force = {(component, code): never for component, code, _source, never in ranked}
    return {key for key, never in in_force.items() if never}


def _failed_in_queue(jobs: Collection[Job]) -> set[int]:
    """Those that no pilot had when they failed.

    Only a claim counts attempts up; a failure without one is counted here, since otherwise a job
    that fails in every queue would have successors for ever.
    """
    ends = JobEvent.objects.filter(job__in=jobs, to_state=JobState.FAILED, from_state__in=QUEUED)
    return set(ends.values_list("job_id", flat=True))


def succeed(
    job: JobColumns,
    *,
    attempt_nr: int,
    max_attempt: int,
    files: Iterable[JobFileColumns],
    actor: str,
    reason: str,
    now: dt.datetime,
) -> Job:
    """One successor because `actor` wants it; `files` are what the job was to read and make.

    Raises IntegrityError when there is a successor, or another job makes one of the outputs.
    """
    successor = _successor(job, attempt_nr=attempt_nr, now=now)
    successor.max_attempt = max_attempt
    successor.save(force_insert=True)
    JobFile.objects.bulk_create(_given(successor, old) for old in files)
    record_birth([successor], actor=actor, reason={"retry_of": job.pk, "reason": reason})
    return successor


def _successor(job: JobColumns, *, attempt_nr: int, now: dt.datetime) -> Job:
    return Job(
        **{name: getattr(job, name) for name in INHERITED},
        attempt_nr=attempt_nr,
        computing_site_id=job.computing_site_id if job.site_fixed else None,
        cloud_id=job.cloud_id if job.site_fixed or job.cloud_fixed else None,
        retry_of=job.pk,
        state=JobState.WAITING,  # the wake sweep knows best whether its input is there
        event_seq=1,
        creation_time=now,
        queued_since=now,
        state_change_time=now,
        modification_time=now,
    )


def _give_files(successors: Mapping[int, Job]) -> None:
    """What the jobs (by PandaID) were to read and make, their successors are to read and make."""
    kept = JobFile.objects.filter(job__in=successors).exclude(type=JobFile.Type.LOG)
    JobFile.objects.bulk_create(_given(successors[old.job_id], old) for old in kept.order_by("pk"))


def _given(successor: Job, old: JobFileColumns) -> JobFile:
    return JobFile(
        job=successor,
        type=old.type,
        scope=old.scope,
        lfn=old.lfn,
        dataset_id=old.dataset_id,
        file_id=old.file_id if old.type == JobFile.Type.INPUT else None,
    )
