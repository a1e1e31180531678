"""A pilot's word in the names of `update_job`, as the report that our services hear."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from jobs import kept_leases
from jobs.api.bodies import TAIL_MAX
from jobs.api.panda.claim import node_of
from jobs.api.panda.fields import INT32, INT64, Said
from jobs.api.panda.files import files_of
from jobs.identity import Caller, TokenGone
from jobs.models import JobFile
from jobs.said import TOBEKILLED, Report, log_name
from pandasite.base.errors import BadInput, Conflict, DomainError, NotThere

log = logging.getLogger(__name__)

LEGACY: Final = {
    "job_id": "jobId",
    "job_status": "state",
    "attempt_nr": "attemptNr",
    "site_name": "siteName",
    "pilot_id": "pilotID",
    "scheduler_id": "schedulerID",
    "job_output_report": "xml",
    "start_time": "startTime",
    "end_time": "endTime",
    "cpu_consumption_time": "cpuConsumptionTime",
    "max_rss": "maxRSS",
    "pilot_log": "pilotLog",
    "trans_exit_code": "transExitCode",
    "pilot_error_code": "pilotErrorCode",
    "pilot_error_diag": "pilotErrorDiag",
    "exe_error_code": "exeErrorCode",
    "exe_error_diag": "exeErrorDiag",
}
# `holding` is said of a job that has ended and waits for its files: its pilot is alive.
HEARD_AS: Final = {
    "starting": "starting",
    "running": "running",
    "holding": "running",
    "transferring": "running",
    "finished": "finished",
    "failed": "failed",
}
DIAG_MAX = 500
MISSING_OUTPUT = 1165  # as the pilots themselves call an output that is not there
ACCEPTED, REFUSED = 0, 30


def update(caller: Caller, said: Said) -> dict[str, Any]:
    """The answer to one word. A word that comes too late is answered, with the command to end.

    Raises BadInput for one that cannot be, and TokenGone.
    """
    report, pilot_id, node = _report(said)
    if report.is_final:
        report = _with_what_is_declared(report)
    try:
        answer = kept_leases.hear(caller=caller, report_of=report, pilot_id=pilot_id, node=node)
    except (NotThere, Conflict) as late:
        return _too_late(report, late)
    return {"StatusCode": ACCEPTED, "command": answer.command or "NULL"}


def _too_late(report: Report, refusal: DomainError) -> dict[str, Any]:
    facts = {"panda_id": report.panda_id, "attempt_nr": report.attempt_nr, "state": report.state}
    log.info("panda_word_refused", extra=facts | {"problem": refusal.code})
    return {
        "StatusCode": REFUSED,
        "command": TOBEKILLED,
        "code": refusal.code,
        "message": refusal.message,
    }


def update_all(caller: Caller, words: list[Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each word on its own, in their order; one that is refused stops no other."""
    answers = []
    for word in words:
        try:
            if not isinstance(word, dict):
                raise BadInput("each word must be an object", code="not_an_object")
            answers.append(update(caller, Said(word, names)))
        except TokenGone:
            raise
        except DomainError as refusal:
            told = {"code": refusal.code, "message": refusal.message, "fields": refusal.fields}
            answers.append({"StatusCode": REFUSED, **told})
    return answers


def _report(said: Said) -> tuple[Report, str, str]:
    """The report without its lease, the pilotID and the node."""
    panda_id = said.whole("job_id", low=1, high=INT64, needed=True)
    attempt_nr = said.whole("attempt_nr", low=1, high=INT32, needed=True)
    state = said.one_of("job_status", HEARD_AS, code="unknown_state")
    rss_kb = said.whole("max_rss", low=0, high=INT64)
    tail, truncated = said.words("stdout", most=TAIL_MAX)
    if tail is None:
        tail, truncated = said.words("pilot_log", most=TAIL_MAX)
    assert panda_id is not None and attempt_nr is not None  # they are needed
    report = Report(
        panda_id=panda_id,
        attempt_nr=attempt_nr,
        lease_token="",
        seq=0,
        state=HEARD_AS[state],
        sent_at=said.time("timestamp"),
        start_time=said.time("start_time"),
        end_time=said.time("end_time"),
        cpu_consumption_time=said.whole("cpu_consumption_time", low=0, high=INT32),
        max_rss_mb=None if rss_kb is None else min(rss_kb // 1024, INT32),
        stdout_tail=tail or None,
        truncated=truncated,
        **(_ended(said, panda_id, attempt_nr) if HEARD_AS[state] in ("finished", "failed") else {}),
    )
    return report, said.text("pilot_id", most=200), node_of(said)


def _ended(said: Said, panda_id: int, attempt_nr: int) -> dict[str, Any]:
    files = files_of(said)
    _scope, name = log_name(panda_id, attempt_nr)
    return {
        "exit_code": said.whole("trans_exit_code", low=-1000, high=65_535),
        "errors": _errors(said),
        "output_files": [file for lfn, file in files.items() if lfn != name],
        "log_file": files.get(name),
    }


def _errors(said: Said) -> dict[str, Any]:
    """The pilot negates a code that a later try may mend: here the catalogue says that."""
    found: dict[str, Any] = {}
    for component in ("pilot", "exe"):
        code = said.whole(f"{component}_error_code", low=-INT32, high=INT32)
        diag, _cut = said.words(f"{component}_error_diag", most=DIAG_MAX)
        if code:
            found[f"{component}_error_code"] = abs(code)
            found[f"{component}_error_diag"] = diag or ""
    return found


def _with_what_is_declared(report: Report) -> Report:
    """Only files that the job declares; a job that lacks one has failed, whatever its pilot says.

    A pilot of this wire would not come again with a better list.
    """
    if report.state != "finished":
        return replace(report, output_files=())
    rows = JobFile.objects.filter(job=report.panda_id, type=JobFile.Type.OUTPUT)
    declared = set(rows.values_list("lfn", flat=True))
    made = {file.lfn: file for file in report.output_files if file.lfn in declared}
    missing = sorted(declared - made.keys())
    if not missing:
        return replace(report, output_files=tuple(made.values()))
    diag = (
        f"finished without {len(missing)} of {len(declared)} declared output files: "
        + ", ".join(missing[:10])
    )
    errors = {"pilot_error_code": MISSING_OUTPUT, "pilot_error_diag": diag[:DIAG_MAX]}
    return replace(report, state="failed", output_files=(), errors=errors)
