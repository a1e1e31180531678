"""Who may interrupt what: signals end the pilot, the server ends a job."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pilot_client import guard
from pilot_client.errors import JobFailed, LeaseLost, PilotCode

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5  # how late a wait notices the word of the other thread
# Thirty seconds from the signal to the end are promised: no new request after 25, and at 29 the
# alarm clock ends what still hangs. A report not handed in by then is kept for the next pilot.
STOP_SECONDS = 25.0
ALARM_SECONDS = 29.0
REPORT_SECONDS = 10.0
EXIT_UNREPORTED = 6


class Stopping(Exception):
    """The pilot was asked to end, and what it is waiting for has to wait for its successor."""


class Stop:
    """Set by SIGTERM or SIGINT; a second signal ends the pilot on the spot."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._deadline = float("inf")
        self.signal_name = ""

    def listen(self) -> None:
        """Take the signals; only the main thread may."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(EXIT_UNREPORTED))

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            os._exit(128 + number)  # the guard sees us gone and takes the payload along
        self.signal_name = signal.Signals(number).name
        self._deadline = time.monotonic() + STOP_SECONDS
        signal.setitimer(signal.ITIMER_REAL, ALARM_SECONDS)
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def late(self) -> bool:
        """Whether the time left after the signal is needed for the log and the report."""
        return time.monotonic() > self._deadline - REPORT_SECONDS

    def pause(self, wait: float) -> None:
        """Wait; raises Stopping as soon as the pilot is asked to end."""
        if self._asked.wait(wait):
            raise Stopping(self.signal_name)

    def pause_until_deadline(self, wait: float) -> None:
        """Wait even while stopping; raises Stopping when that would take too long.

        A long wait is cut short by the signal: the server gets one more chance right away.
        """
        if not self._asked.is_set():
            self._asked.wait(wait)
            return
        wait = min(wait, 1.0)
        if time.monotonic() + wait > self._deadline:
            raise Stopping(self.signal_name)
        time.sleep(wait)


class Control:
    """What a stage of a job asks now and then: may I go on?"""

    def __init__(self, stop: Stop, *, lease: Path) -> None:
        self._stop = stop
        self._lease = lease
        self._killed = threading.Event()
        self._revoked = threading.Event()
        self._lease_end = float("inf")  # not known before the server has heard of us

    def kill(self) -> None:
        """The server asks for the end of this job; the lease still holds."""
        self._killed.set()

    def revoke(self) -> None:
        """The server does not take our reports on this job any more."""
        self._revoked.set()

    def hold_until(self, end: float) -> None:
        """The lease is known to last until then (s of the monotonic clock); the guard reads it."""
        self._lease_end = end
        try:
            guard.renew_lease(self._lease, end)
        except OSError as error:
            log.error("the end of the lease cannot be written down: %s", error)

    @property
    def revoked(self) -> bool:
        return self._revoked.is_set()

    @property
    def lapsed(self) -> bool:
        """Whether the server has not been heard for a whole lease: it gives the job away soon."""
        return time.monotonic() > self._lease_end

    def check(self) -> None:
        """Raise LeaseLost or JobFailed if the job has to end here."""
        if self.lapsed:
            log.warning("no answer to a heartbeat for a whole lease")
            raise LeaseLost
        self.check_orders()

    def check_orders(self) -> None:
        """As `check`, for who waits to hear from the server whether the lease still holds."""
        if self._revoked.is_set():
            raise LeaseLost
        if self._killed.is_set():
            raise JobFailed(PilotCode.KILLED_BY_SERVER, "killed by command of the server")
        if self._stop.asked:
            raise JobFailed(PilotCode.SIGTERM, f"the pilot received {self._stop.signal_name}")

    def check_late(self) -> None:
        """As `check`, but after a signal a stage that may still come to its end gets its time."""
        if not self._stop.asked or self._stop.late or self._must_end:
            self.check()

    @property
    def _must_end(self) -> bool:
        return self.revoked or self.lapsed or self._killed.is_set()

    def pause_for_orders(self, wait: float) -> None:
        """Wait, checking with `check_orders`."""
        self._pause(wait, self.check_orders)

    def pause_late(self, wait: float) -> None:
        """Wait, checking with `check_late`."""
        self._pause(wait, self.check_late)

    def _pause(self, wait: float, check: Callable[[], None]) -> None:
        end = time.monotonic() + wait
        while (rest := end - time.monotonic()) > 0:
            check()
            time.sleep(min(rest, LOOK_SECONDS))
        check()
