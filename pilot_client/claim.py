"""Claim: ask for a job until the server has answered, with one key per question."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pilot_client.control import Stop
from pilot_client.errors import PilotEnds
from pilot_client.report import timestamp
from pilot_client.server import EXIT_REFUSED, Answer, Server, seconds, until_answered

log = logging.getLogger(__name__)

PATH = "/rest/v1/pilot/claim"
DEFAULT_WAIT = 60.0


@dataclass(frozen=True, kw_only=True)
class NoJob:
    """Nothing to do for now; `wait` in s."""

    wait: float
    reason: str
    message: str


def claim(*, server: Server, facts: Mapping[str, Any], stop: Stop) -> Mapping[str, Any] | NoJob:
    """The job answer, or why there is none.

    The same key and the same facts go out until an answer arrives, with the time of each try, so
    that a job whose answer was lost is handed to us again instead of being stranded. Raises
    Stopping when asked to end, and PilotEnds when the server does not want this question at all.
    """
    key = uuid.uuid4().hex
    answer = until_answered(
        lambda: server.post(
            PATH, {**facts, "sent_at": timestamp()}, headers={"Idempotency-Key": key}
        ),
        lost=still_open,
        pause=stop.pause,
        what=f"claim {key}",
    )
    if not answer.ok:
        raise PilotEnds(f"the server refuses the claim: {answer}", EXIT_REFUSED)
    job = answer.body.get("job")
    if isinstance(job, dict):
        return job
    return no_job(answer)


def still_open(answer: Answer) -> bool:
    """Whether this answer says nothing yet; 409: an earlier try with this key is in flight."""
    return answer.passing or answer.status == HTTPStatus.CONFLICT


def no_job(answer: Answer) -> NoJob:
    """The waiting time and the reason of an empty answer."""
    wait = seconds(answer.body.get("retry_after"))
    return NoJob(
        wait=DEFAULT_WAIT if wait is None else wait,
        reason=str(answer.body.get("reason") or "no_job"),
        message=str(answer.body.get("message") or ""),
    )
