"""A pilot's report, judged step by step under the lock of its job: who may say what, and when.

jobs/quick.py takes the common case in one statement; everything else comes here, and is refused
here with the reason.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Least

from jobs import lease, services
from jobs.models import AnyJob, Job, JobColumns, JobFile, JobOutput, Pulse
from jobs.pulse import overlay
from jobs.refusals import already_final
from jobs.said import FINAL_WORDS, TOBEKILLED, Answer, Report, ReportedFile, log_name
from jobs.skew import noted_skew
from jobs.states import FINAL, LEASED, REPORTED, JobState
from pandasite.base.errors import Conflict, NotThere, Unprocessable
from pandasite.base.nudge import nudge


def judge(*, site_id: int, site: str, report: Report, now: dt.datetime) -> Answer:
    """Apply a report, or refuse it with the reason."""
    with transaction.atomic():
        job = Job.objects.select_for_update(no_key=True).filter(pk=report.panda_id).first()
        known = job or AnyJob.objects.filter(pk=report.panda_id).first()
        if known is None or known.computing_site_id != site_id:
            raise NotThere(f"there is no job {report.panda_id} at {site}")
        _check_lease(known, report)
        if job is None or job.state not in LEASED:  # perhaps in the archive
            return _after_the_end(known, report)
        overlay(job, Pulse.objects.select_for_update().get(pk=job.pk))
        if report.seq <= job.report_seq:
            return Answer(state=job.state, command=_command(job), replayed=True)
        if _command(job):
            return _end_killed(job, report, now)
        return _apply(job, report, now)


def _check_lease(job: JobColumns, report: Report) -> None:
    if report.attempt_nr != job.attempt_nr:
        raise Conflict(
            f"job {job.pk} is at attempt {job.attempt_nr}, not {report.attempt_nr}",
            code="stale_attempt",
            command=TOBEKILLED,
        )
    if not lease.matches(report.lease_token, job.lease_sha256):
        raise Conflict(
            f"this lease of job {job.pk} is not valid (any more)",
            code="stale_lease",
            command=TOBEKILLED,
        )


def _after_the_end(job: JobColumns, report: Report) -> Answer:
    """The pilot has had its final word (or the job was killed): only repeats are heard."""
    if report.state == job.verdict or report.seq <= job.report_seq:
        command = TOBEKILLED if job.state == JobState.CANCELLED else None
        return Answer(state=job.state, command=command, replayed=True)
    if job.state in FINAL:
        raise already_final(job, command=TOBEKILLED)
    raise services.illegal(job, REPORTED[report.state])


def _end_killed(job: Job, report: Report, now: dt.datetime) -> Answer:
    """The first word after a kill ends the job, whatever it says, and takes the command home."""
    _keep_output(job, report, now)
    services.cancel_killed(
        Job.objects.filter(pk=job.pk),
        actor=_actor(job),
        now=now,
        why=job.command_reason or "killed",
        report_seq=report.seq,
        **_measured(job, report),
    )
    return Answer(state=JobState.CANCELLED, command=TOBEKILLED)


def _command(job: Job) -> str | None:
    """The command for this attempt; one that was meant for an earlier attempt is void."""
    return job.command if job.command and job.command_attempt == job.attempt_nr else None


def _actor(job: Job) -> str:
    return f"pilot at {job.node}"[:150]


def _apply(job: Job, report: Report, now: dt.datetime) -> Answer:
    _keep_output(job, report, now)
    if report.state in FINAL_WORDS:
        return _final_word(job, report, _measured(job, report), now)
    said = {"report_seq": report.seq, "lease_until": now + _lease()}
    _renew(job, report, said, now)
    to = REPORTED[report.state]
    # "starting" after "running" is a late message: the job stays running
    if job.state != to and (job.state, to) != (JobState.RUNNING, JobState.STARTING):
        if to == JobState.RUNNING and job.start_time is None:
            said["start_time"] = now
        services.must_move(job, to, actor=_actor(job), now=now, **said)
        state: str = to
    else:
        state = job.state
    if report.exit_code is not None:
        Job.objects.filter(pk=job.pk).update(trans_exit_code=report.exit_code)
    return Answer(state=state)


def _lease() -> dt.timedelta:
    return dt.timedelta(seconds=settings.PANDASITE["LEASE_SECONDS"])


def _renew(job: Job, report: Report, said: dict[str, Any], now: dt.datetime) -> None:
    """The pulse has what was heard; pilot and node count as alive."""
    measured = _measured(job, report)
    measured.pop("trans_exit_code", None)
    due = Least(F("due"), Value(said["lease_until"]))
    Pulse.objects.filter(pk=job.pk).update(**measured, **said, heard_at=now, due=due, told_at=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_heard(ARRAY[%s]::bigint[], %s)", [job.pk, now])


def _measured(job: Job, report: Report) -> dict[str, Any]:
    """What is known after the report, of a job that its pulse is laid over."""
    changes: dict[str, Any] = {
        "cpu_consumption_time": job.cpu_consumption_time,
        "max_rss_mb": max(report.max_rss_mb or 0, job.max_rss_mb),
    }
    if report.cpu_consumption_time is not None:
        changes["cpu_consumption_time"] = report.cpu_consumption_time
    if report.exit_code is not None:
        changes["trans_exit_code"] = report.exit_code
    return changes


def _keep_output(job: Job, report: Report, now: dt.datetime) -> None:
    if report.stdout_tail is None:
        return
    JobOutput.objects.update_or_create(
        job=job,
        defaults={
            "attempt_nr": job.attempt_nr,
            "tail": report.stdout_tail,
            "truncated": report.truncated,
            "at": now,
        },
    )


def _final_word(job: Job, report: Report, changes: dict[str, Any], now: dt.datetime) -> Answer:
    if report.state == "finished":
        _book_outputs(job, report)
    else:
        changes |= report.blame()
    _book_log(job, report)
    if job.start_time is None:
        changes["start_time"] = now
    reason = report.reason() | noted_skew(report.sent_at, now)
    services.must_move(
        job,
        JobState.HOLDING,
        actor=_actor(job),
        now=now,
        reason=reason,
        verdict=report.state,
        report_seq=report.seq,
        **changes,
    )
    nudge("jobs.register")
    return Answer(state=JobState.HOLDING)


def _book_outputs(job: Job, report: Report) -> None:
    """Keep what the pilot says of each output; every declared one must be there."""
    declared = {f.lfn: f for f in job.files.filter(type=JobFile.Type.OUTPUT)}
    reported = {f.lfn: f for f in report.output_files}
    missing = sorted(declared.keys() - reported.keys())
    if missing:
        raise Unprocessable(
            f"finished without {len(missing)} of {len(declared)} declared output files: "
            + ", ".join(missing[:10]),
            code="missing_outputs",
            missing=missing,
        )
    unknown = sorted(reported.keys() - declared.keys())
    if unknown:
        raise Unprocessable(
            f"the job declares no output {', '.join(unknown[:10])}",
            code="unknown_outputs",
            unknown=unknown,
        )
    for lfn, said in reported.items():
        _book(declared[lfn], said)


def _book_log(job: Job, report: Report) -> None:
    if report.log_file is None:
        return
    scope, lfn = log_name(job.pk, job.attempt_nr)
    if report.log_file.lfn != lfn:
        raise Unprocessable(f"the log file of this attempt is named {lfn}", code="unknown_outputs")
    row, _made = JobFile.objects.get_or_create(
        job=job, scope=scope, lfn=lfn, defaults={"type": JobFile.Type.LOG}
    )
    _book(row, report.log_file)


def _book(row: JobFile, said: ReportedFile) -> None:
    JobFile.objects.filter(pk=row.pk).update(
        guid=said.guid, size=said.size, adler32=said.adler32, events=said.events
    )
