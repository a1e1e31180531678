"""A pilot's word in the names of `update_job`, as the report that our services hear."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from jobs import debug, kept_leases
from jobs.api.bodies import TAIL_MAX
from jobs.api.panda.claim import node_of
from jobs.api.panda.declared import with_what_is_declared
from jobs.api.panda.fields import INT32, INT64, Said
from jobs.api.panda.files import files_of
from jobs.identity import Caller
from jobs.kept_leases import Word
from jobs.said import TOBEKILLED, Answer, Report, log_name
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
ACCEPTED, REFUSED = 0, 30


def update(caller: Caller, said: Said) -> dict[str, Any]:
    """The answer to one word. A word that comes too late is answered, with the command to end.

    Raises BadInput for one that cannot be, and TokenGone.
    """
    (word,) = with_what_is_declared([_word(said)])
    try:
        answer: Answer | DomainError = kept_leases.hear(caller=caller, word=word)
    except (NotThere, Conflict) as late:
        answer = late
    order = debug.orders([word.report.panda_id]).get(word.report.panda_id, "")
    return _told(word, answer, order)


def update_all(caller: Caller, words: list[Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each word on its own, in their order; one that is refused stops no other."""
    read = [_word_or_refusal(word, names) for word in words]
    good = with_what_is_declared([word for word in read if isinstance(word, Word)])
    heard = kept_leases.hear_all(caller=caller, words=good)
    orders = debug.orders(word.report.panda_id for word in good)
    answers = iter(
        _told(word, answer, orders.get(word.report.panda_id, ""))
        for word, answer in zip(good, heard, strict=True)
    )
    return [next(answers) if isinstance(one, Word) else _refused(one) for one in read]


def _told(word: Word, answer: Answer | DomainError, order: str = "") -> dict[str, Any]:
    if isinstance(answer, Answer):
        return {"StatusCode": ACCEPTED, "command": answer.command or order or "NULL"}
    if not isinstance(answer, NotThere | Conflict):
        return _refused(answer)
    panda_id, attempt_nr = word.key
    facts = {"panda_id": panda_id, "attempt_nr": attempt_nr, "state": word.report.state}
    log.info("panda_word_refused", extra=facts | {"problem": answer.code})
    told = {"code": answer.code, "message": answer.message}
    return {"StatusCode": REFUSED, "command": TOBEKILLED} | told


def _refused(refusal: DomainError) -> dict[str, Any]:
    told = {"code": refusal.code, "message": refusal.message, "fields": refusal.fields}
    return {"StatusCode": REFUSED} | told


def _word_or_refusal(word: Any, names: Mapping[str, str]) -> Word | DomainError:
    if not isinstance(word, dict):
        return BadInput("each word must be an object", code="not_an_object")
    try:
        return _word(Said(word, names))
    except DomainError as refusal:
        return refusal


def _word(said: Said) -> Word:
    """The word without its lease."""
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
    return Word(report=report, pilot_id=said.text("pilot_id", most=200), node=node_of(said))


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
