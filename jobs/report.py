"""What a pilot may say: a heartbeat or its final word. It knows no HTTP.

Only the holder of the lease is heard. A word that was said before gets the same answer again and
changes nothing; a word of an old attempt is refused, with the command to end the payload.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from jobs import lease, services
from jobs.identity import Caller
from jobs.models import AnyJob, Job, JobColumns, JobFile, JobOutput, Pilot
from jobs.refusals import already_final
from jobs.skew import noted_skew
from jobs.states import FINAL, LEASED, REPORTED, JobState
from pandasite.base.errors import Conflict, NotThere, Unprocessable
from pandasite.base.nudge import nudge

TOBEKILLED = "tobekilled"
LOG_SCOPE = "log"  # no output may be in it: the names of logs to come can be guessed
FINAL_WORDS = ("finished", "failed")


@dataclass(frozen=True, kw_only=True)
class ReportedFile:
    """A file that the pilot put at the site's storage: size in bytes, adler32 as 8 hex digits."""

    lfn: str
    guid: str
    size: int
    adler32: str
    events: int | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """One word of a pilot: see docs/rest.md for the fields. Times are its claims only."""

    panda_id: int
    attempt_nr: int
    lease_token: str
    seq: int
    state: str
    sent_at: dt.datetime | None = None
    start_time: dt.datetime | None = None
    end_time: dt.datetime | None = None
    cpu_consumption_time: int | None = None
    max_rss_mb: int | None = None
    stdout_tail: str | None = None
    truncated: bool = False
    exit_code: int | None = None
    errors: dict[str, Any] = field(default_factory=dict)  # pilot_/exe_error_code and _diag
    output_files: Sequence[ReportedFile] = ()
    log_file: ReportedFile | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The job's state after the report, and what the pilot is to do."""

    state: str
    command: str | None = None
    replayed: bool = False


def hear(*, caller: Caller, report: Report, now: dt.datetime) -> Answer:
    """Apply a report, or refuse it with the reason."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=report.panda_id).first()
        known = job or AnyJob.objects.filter(pk=report.panda_id).first()
        if known is None or known.computing_site_id != caller.site_id:
            raise NotThere(f"there is no job {report.panda_id} at {caller.site}")
        _check_lease(known, report)
        if job is None:  # in the archive
            return _after_the_end(known, report)
        if job.state not in LEASED:
            return _after_the_end(job, report)
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
        **_measured(job, report),
    )
    return Answer(state=JobState.CANCELLED, command=TOBEKILLED)


def _command(job: Job) -> str | None:
    """The command for this attempt; one that was meant for an earlier attempt is void."""
    return job.command if job.command and job.command_attempt == job.attempt_nr else None


def _actor(job: Job) -> str:
    return f"pilot at {job.node}"[:150]


def _apply(job: Job, report: Report, now: dt.datetime) -> Answer:
    changes = _measured(job, report)
    _keep_output(job, report, now)
    if report.state in FINAL_WORDS:
        return _final_word(job, report, changes, now)
    lease_until = now + dt.timedelta(seconds=settings.PANDASITE["LEASE_SECONDS"])
    changes["lease_until"] = lease_until
    to = REPORTED[report.state]
    # "starting" after "running" is a late message: the job stays running
    if job.state != to and (job.state, to) != (JobState.RUNNING, JobState.STARTING):
        if to == JobState.RUNNING and job.start_time is None:
            changes["start_time"] = now
        services.must_move(job, to, actor=_actor(job), now=now, **changes)
        state: str = to
    else:
        Job.objects.filter(pk=job.pk).update(**changes, modification_time=now)
        state = job.state
    # The pilot was heard: brokerage and dashboard count it as alive.
    Pilot.objects.filter(pk=job.pilot_id or 0).update(last_contact=now, last_report=now)
    return Answer(state=state)


def _measured(job: Job, report: Report) -> dict[str, Any]:
    changes: dict[str, Any] = {"report_seq": report.seq}
    if report.cpu_consumption_time is not None:
        changes["cpu_consumption_time"] = report.cpu_consumption_time
    if report.max_rss_mb is not None:
        changes["max_rss_mb"] = max(report.max_rss_mb, job.max_rss_mb)
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
        changes |= _errors(report)
    _book_log(job, report)
    if job.start_time is None:
        changes["start_time"] = now
    reason = {"said": report.state, "exit_code": report.exit_code} | report.errors
    reason |= _clock(report, now)
    services.must_move(
        job,
        JobState.HOLDING,
        actor=_actor(job),
        now=now,
        reason=reason,
        verdict=report.state,
        **changes,
    )
    nudge("jobs.register")
    return Answer(state=JobState.HOLDING)


def _clock(report: Report, now: dt.datetime) -> dict[str, Any]:
    """What the pilot's clock says: kept as a claim, and decides nothing."""
    claims = {"start_time": report.start_time, "end_time": report.end_time}
    said: dict[str, Any] = {name: at.isoformat() for name, at in claims.items() if at}
    return said | noted_skew(report.sent_at, now)


def _errors(report: Report) -> dict[str, Any]:
    """The error columns of a failure; one that names none is counted as unknown, never as none."""
    errors = dict(report.errors)
    if errors.get("pilot_error_code") or errors.get("exe_error_code"):
        return errors
    if report.exit_code:
        return errors | {
            "exe_error_code": 69999,
            "exe_error_diag": f"the transformation ended with exit code {report.exit_code}",
        }
    return errors | {
        "pilot_error_code": 1220,
        "pilot_error_diag": "the pilot reported a failure without an error code",
    }


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


def log_name(panda_id: int, attempt_nr: int) -> tuple[str, str]:
    """(scope, LFN) of the log tarball of an attempt."""
    return LOG_SCOPE, f"log.{panda_id}._{attempt_nr}.job.log.tgz"
