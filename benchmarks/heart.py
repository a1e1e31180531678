"""Heartbeats of jobs that run already: each in its turn, so many per second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import fill
from benchmarks.calls import REPORT, Calls, encoded, report_fields
from benchmarks.grid import Grid
from benchmarks.ledger import Ledger
from benchmarks.load import Answer, Pool

TICK = 0.01  # seconds between two looks at what is due


class Heart:
    """Beats for the `n` jobs of a fill, `rate` per second.

    The latency of a beat counts from the moment it was due, so that a server that stands still is
    not asked less, and does not look better than it is.
    """

    def __init__(
        self, calls: Calls, pool: Pool, grid: Grid, ledger: Ledger, *, n: int, rate: float
    ) -> None:
        self._calls = calls
        self._pool = pool
        self._ledger = ledger
        self._rate = rate
        self._heads = [calls.head(REPORT, place.token) for place in grid.sites]
        self._n = n
        self.sent = 0
        self.heard = 0

    async def beat(self) -> None:
        """Until it is cancelled."""
        begun, requests = time.perf_counter(), self._requests()
        while True:
            due = begun + self.sent / self._rate
            if due > time.perf_counter():
                await asyncio.sleep(TICK)
                continue
            self.sent += 1
            self._pool.send(next(requests), partial(self._answered, due))

    async def rest(self, *, seconds: float) -> None:
        """Waits for the answers that are still to come; then those not yet sent are given up."""
        end = time.monotonic() + seconds
        while self.heard < self.sent and time.monotonic() < end:
            await asyncio.sleep(TICK)
        self.sent -= self._pool.give_up()

    def _answered(self, due: float, status: int, body: bytes) -> None:
        self.heard += 1
        answer = Answer(status, body, time.perf_counter() - due)
        if self._ledger.heard("heartbeat", answer) and b'"command":null' not in body:
            self._ledger.complain("heartbeat: a command that nobody gave", body)

    def _requests(self) -> Iterator[bytes]:
        seq = 1
        while True:
            seq += 1
            for k in range(self._n):
                panda_id = fill.FIRST + k
                said = report_fields(panda_id, fill.lease_token(panda_id), seq, "running")
                yield self._heads[k % len(self._heads)] + self._calls.tail(encoded(said))
