"""Report: the final word on a job, composed once, and handed in until it is acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from typing import Any

from pilot_client.errors import PilotCode
from pilot_client.judge import Verdict
from pilot_client.measure import Meter
from pilot_client.server import Answer, Server, until_answered
from pilot_client.stage_out import Stored
from pilot_client.text import clean
from pilot_client.wire import Lease

log = logging.getLogger(__name__)

PATH = "/rest/v1/pilot/report"
MAX_DIAG = 500
NOT_OURS = (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class HandIn(Enum):
    """What became of a final report."""

    ACKNOWLEDGED = "acknowledged"
    DROPPED = "dropped"
    """The job is not ours any more; no report of it will be taken."""
    REFUSED = "refused"
    """The server does not take this report as it is."""


def timestamp() -> str:
    """Now, as the wire wants it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(kw_only=True)
class Account:
    """What is known of the attempt so far, for a report that may be due at any moment."""

    started: str = field(default_factory=timestamp)
    meter: Meter = field(default_factory=Meter)
    exit_code: int | None = None
    stdout_tail: str = ""
    outputs: Sequence[Stored] = ()
    events: Mapping[str, int] = field(default_factory=dict)
    log_file: Stored | None = None


def base(*, lease: Lease, seq: int, state: str) -> dict[str, Any]:
    """What every report carries."""
    return {
        "panda_id": lease.panda_id,
        "attempt_nr": lease.attempt_nr,
        "lease_token": lease.token,
        "seq": seq,
        "state": state,
        "sent_at": timestamp(),
    }


def final(*, lease: Lease, seq: int, verdict: Verdict, account: Account) -> dict[str, Any]:
    """The final report; of a failed job it names no outputs, so none gets registered."""
    report = base(lease=lease, seq=seq, state="failed" if verdict.failed else "finished")
    report |= {
        "start_time": account.started,
        "end_time": timestamp(),
        "cpu_consumption_time": int(account.meter.cpu_seconds),
        "max_rss_mb": account.meter.max_rss_mb,
        "stdout_tail": account.stdout_tail,
    }
    report |= errors_of(verdict)
    if not verdict.failed:
        report["output_files"] = [with_events(one, account.events) for one in account.outputs]
    if account.log_file is not None:
        report["log_file"] = asdict(account.log_file)
    return report


def errors_of(verdict: Verdict) -> dict[str, Any]:
    """Exit code and the one error that is set."""
    fields: dict[str, Any] = {}
    if verdict.exit_code is not None:
        fields["exit_code"] = verdict.exit_code
    if verdict.pilot_code:
        fields["pilot_error_code"] = int(verdict.pilot_code)
        fields["pilot_error_diag"] = clean(verdict.pilot_diag)[:MAX_DIAG]
    if verdict.exe_code:
        fields["exe_error_code"] = int(verdict.exe_code)
        fields["exe_error_diag"] = clean(verdict.exe_diag)[:MAX_DIAG]
    return fields


def with_events(stored: Stored, events: Mapping[str, int]) -> dict[str, Any]:
    """One output file as the wire has it."""
    entry = asdict(stored)
    if stored.lfn in events:
        entry["events"] = events[stored.lfn]
    return entry


def hand_in(*, server: Server, report: Mapping[str, Any], pause: Callable[[float], None]) -> HandIn:
    """Send it until the server has answered; `pause` waits, or raises to give up for now."""
    name = f"{report['panda_id']}.{report['attempt_nr']}"
    answer = until_answered(
        lambda: server.post(PATH, report),
        lost=lambda answer: answer.passing,
        pause=pause,
        what=f"final report {name}",
    )
    outcome = outcome_of(answer)
    level = logging.INFO if outcome is HandIn.ACKNOWLEDGED else logging.ERROR
    log.log(level, "final report %s %s: %s (%s)", name, report["state"], outcome.value, answer)
    return outcome


def outcome_of(answer: Answer) -> HandIn:
    """What an answer that is no passing failure means for the report."""
    if answer.ok:
        return HandIn.ACKNOWLEDGED
    return HandIn.DROPPED if answer.status in NOT_OURS else HandIn.REFUSED


def without_details(report: Mapping[str, Any]) -> dict[str, Any]:
    """A bare failure in place of a refused report: the job must not wait for its lease to end."""
    kept = ("panda_id", "attempt_nr", "lease_token", "start_time", "end_time")
    return {
        **{name: report[name] for name in kept if name in report},
        "seq": report["seq"] + 1,
        "state": "failed",
        "sent_at": timestamp(),
        "pilot_error_code": int(PilotCode.PILOT_PROBLEM),
        "pilot_error_diag": "the server refused the full report of this job",
    }
