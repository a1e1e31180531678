"""Heartbeat: one thread that tells the server, and hears from it, while the job's stages run.

It beats from the claim to the end of stage-out: a job that copies for hours is as alive as one
that computes.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pilot_client.control import Control
from pilot_client.errors import PilotEnds
from pilot_client.measure import Meter
from pilot_client.report import PATH, base
from pilot_client.server import Answer, NoAnswer, Server, waits
from pilot_client.text import tail
from pilot_client.wire import Lease

ENDED = ("finished", "failed", "cancelled")  # the job; no report is awaited any more
LEASE_IS_OVER = ("stale_lease", "stale_attempt", "already_final")
NOT_FOUND = HTTPStatus.NOT_FOUND
log = logging.getLogger(__name__)


class Heartbeat:
    """Beats for one job. `said` returns what to add to a beat, e.g. the tail of stdout."""

    def __init__(
        self,
        *,
        server: Server,
        lease: Lease,
        control: Control,
        numbers: Iterator[int],
        said: Callable[[], dict[str, Any]],
    ) -> None:
        self._server = server
        self._lease = lease
        self._interval = lease.heartbeat_seconds
        self._control = control
        self._numbers = numbers
        self._said = said
        self._state = "starting"
        self._wake = threading.Event()
        self._ending = False
        self._heard = float("-inf")
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No further beat; one that is under way may still arrive, with a lower number."""
        self._ending = True
        self._wake.set()
        self._thread.join(timeout=5)

    def say(self, state: str) -> None:
        """Report this state now, and from now on."""
        self._state = state
        self._wake.set()

    @property
    def sure(self) -> bool:
        """Whether the server has renewed the lease lately."""
        return time.monotonic() - self._heard < self._lease.lease_seconds / 2

    def make_sure(self) -> None:
        """Return when the lease is known to hold; raises as `Control.check_orders` does.

        A pilot that was stopped or cut off for long may have been replaced meanwhile, and must
        not put its files where its successor puts them. And one whose claim the server has not
        seen taken up may be replaced long before the end of a lease.
        """
        if not self.sure:
            self._wake.set()
        while not self.sure:
            self._control.pause_for_orders(0.1)

    def _beat_on(self) -> None:
        again = waits()
        while not self._ending:
            if self._beat():
                again = waits()
                self._wake.wait(self._interval * random.uniform(0.8, 1.0))
            else:
                self._wake.wait(min(self._interval, next(again)))
            self._wake.clear()

    def _beat(self) -> bool:
        """One beat; whether the server answered with something that will not change soon."""
        asked, state = time.monotonic(), self._state
        report = base(lease=self._lease, seq=next(self._numbers), state=state) | self._said()
        try:
            answer = self._server.post(PATH, report)
        except (NoAnswer, PilotEnds) as error:
            log.warning("heartbeat %s: %s", self._lease.name, error)
            return False
        if answer.ok:
            self._heard = asked
            self._control.hold_until(asked + self._lease.lease_seconds)
        self._obey(answer, state)
        return not answer.passing

    def _obey(self, answer: Answer, state: str) -> None:
        if answer.ok and not answer.ends_job:
            log.info("heartbeat %s: %s", self._lease.name, state)
            return
        log.warning("heartbeat %s: %s command=%s", self._lease.name, answer, answer.ends_job)
        if answer.ok and answer.body.get("state") not in ENDED:
            self._control.kill()
        elif (
            answer.ok
            or answer.ends_job
            or answer.code in LEASE_IS_OVER
            or answer.status == NOT_FOUND
        ):
            self._control.revoke()


def said_of(*, meter: Meter, stdout: Path) -> dict[str, Any]:
    """What a beat tells of the payload."""
    return {
        "cpu_consumption_time": int(meter.cpu_seconds),
        "max_rss_mb": meter.max_rss_mb,
        "stdout_tail": tail(stdout),
    }
