"""A simulated grid: pilots that ask, run and report, and a user who submits. All over real HTTP.

Everything runs in one asyncio loop over a pool of connections. A pilot is a coroutine: it claims
at its site, says `starting` and `running`, waits as long as its job takes, and hands in its final
report with the outputs. Without a job it waits as long as the server asks it to.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Coroutine
from typing import Any

from benchmarks import calls as wire
from benchmarks.calls import Calls
from benchmarks.figures.submission import job_body
from benchmarks.grid import Grid, Place
from benchmarks.ledger import Ledger
from benchmarks.load import LoadError, Pool

POLL = 0.05  # seconds between two looks of the submitter
TASK = 500  # jobs of one task


class Fleet:
    """Pilots and a submitter over one pool. `run_seconds` is the length of a job."""

    def __init__(self, calls: Calls, pool: Pool, grid: Grid, *, run_seconds: float = 0.0) -> None:
        self.calls = calls
        self.pool = pool
        self.grid = grid
        self.run_seconds = run_seconds
        self.ledger = Ledger()
        self.ending = False
        self._tasks: list[asyncio.Task[None]] = []
        self._serial = itertools.count()

    def start_pilots(self, a_site: int, *, within: float = 0.0) -> None:
        """So many pilots at each site; they first ask at some moment within so many seconds."""
        for place in self.grid.sites:
            for k in range(a_site):
                self._start(self._pilot(place, k, random.uniform(0, within)))

    def keep_backlog(self, n: int, *, bunch: int) -> None:
        """Submit bunches so that about `n` jobs are always under way."""
        self._start(self._submit_below(n, bunch))

    def keep_rate(self, rate: float, *, bunch: int) -> None:
        """Submit `rate` jobs per second, by the bunch."""
        self._start(self._submit_at(rate, bunch))

    async def drain(self, *, seconds: float) -> None:
        """No new jobs; until each has ended, or the time is over. Then the pilots go home."""
        self.ending = True
        end = time.monotonic() + seconds
        while self.ledger.open and time.monotonic() < end:
            self.check()
            await asyncio.sleep(POLL)

    async def stop(self) -> None:
        """Ends every pilot where it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def check(self) -> None:
        """Raises what has broken the fleet, if anything has."""
        if self.pool.failure is not None:
            raise LoadError(str(self.pool.failure)) from self.pool.failure
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _submit_below(self, n: int, bunch: int) -> None:
        while not self.ending:
            if self.ledger.open < n:
                await self._submit(bunch)
            else:
                await asyncio.sleep(POLL)

    async def _submit_at(self, rate: float, bunch: int) -> None:
        due = time.monotonic()
        while not self.ending:
            await self._submit(bunch)
            due += bunch / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _submit(self, n: int) -> None:
        numbers = [next(self._serial) for _ in range(n)]
        bodies = [job_body(f"{nr:07d}", task=f"life{nr // TASK}", nr=nr) for nr in numbers]
        body = wire.encoded({"jobs": bodies})
        key = self.calls.key("submit")
        answer = await self.pool.ask(self.calls.post(wire.JOBS, self.grid.manager, body, key=key))
        if self.ledger.heard("submit", answer, expected=201):
            jobs = json.loads(answer.body)["jobs"]
            self.ledger.submitted.update(job["panda_id"] for job in jobs)

    async def _pilot(self, place: Place, k: int, wait: float) -> None:
        head = self.calls.head(wire.CLAIM, place.token)
        body = wire.claim_body(place, k)
        await asyncio.sleep(wait)
        while True:
            request = head + self.calls.tail(body, self.calls.key("claim"))
            answer = await self.pool.ask(request)
            if not self.ledger.heard("claim", answer):
                await asyncio.sleep(1)
                continue
            said = json.loads(answer.body)
            if said["job"] is None:
                await asyncio.sleep(said["retry_after"])
            else:
                await self._run(place, said["job"])

    async def _run(self, place: Place, job: dict[str, Any]) -> None:
        panda_id, attempt, token = job["panda_id"], job["attempt_nr"], job["lease_token"]
        self.ledger.hand(panda_id, attempt)
        head = self.calls.head(wire.REPORT, place.token)
        for seq, state in enumerate(("starting", "running"), 1):
            said = wire.report_fields(panda_id, token, seq, state, attempt)
            await self._say(head, state, said)
        await asyncio.sleep(self.run_seconds)
        outputs = [file["lfn"] for file in job["output_files"]]
        if await self._say(
            head, "finished", wire.final_fields(panda_id, token, 3, outputs, attempt)
        ):
            self.ledger.ended.add(panda_id)

    async def _say(self, head: bytes, what: str, said: dict[str, Any]) -> bool:
        answer = await self.pool.ask(head + self.calls.tail(wire.encoded(said)))
        return self.ledger.heard(what, answer)
