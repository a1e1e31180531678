"""A lean HTTP client: keep-alive connections, ready-made requests, the least of parsing.

What it costs is taken from the server under test, where both share a machine: some 50 us a
request. It reads answers with a Content-Length only, which is all that the server sends.
A connection that is lost is made again and its request repeated: every request that the
benchmarks send may come twice. How often that happened is counted.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from benchmarks.stats import Tally

Answered = Callable[[int, bytes], None]  # status and body
Request = tuple[bytes, int]  # with a tag, which comes back with its answer
Heard = Callable[[int, int, bytes], None]  # tag, status and body
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"
PATIENCE = 60.0  # seconds without any answer, and the run is given up
PATIENT = 5  # times the length of a window, to get the answers that it wants at least
AGAIN = 0.05  # seconds between two tries to connect
TRIES = 600


class LoadError(Exception):
    """The server does not answer, or not in a way that this client reads."""


@dataclass(frozen=True)
class Answer:
    """Status, body, and the seconds from the sending on."""

    status: int
    body: bytes
    seconds: float


class Wire(asyncio.Protocol):
    """One connection with at most one request on it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request = b""
        self._answered: Answered | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send a request; `answered` is called once its answer is whole."""
        assert self._answered is None and self._transport is not None
        self._request, self._answered = request, answered
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer = data = self._buffer + data if self._buffer else data
        end = data.find(END_OF_HEAD)
        if end < 0:
            return
        found = _LENGTH.search(data, 0, end)
        if found is None:
            self._pool.fail(LoadError(f"an answer without Content-Length: {data[:end]!r}"))
            return
        begin = end + len(END_OF_HEAD)
        if len(data) < begin + int(found[1]):
            return
        answered, self._answered, self._buffer = self._answered, None, b""
        if answered is not None:
            self._pool.release(self)
            answered(int(data[9:12]), data[begin:])

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._buffer = None, b""
        answered, self._answered = self._answered, None
        if answered is not None:
            self._pool.lost(self, self._request, answered)


class Pool:
    """A fixed number of connections to one server; requests wait their turn.

    async with Pool("127.0.0.1", 8000, size=8) as pool:
        answer = await pool.ask(request)
    """

    def __init__(self, host: str, port: int, *, size: int) -> None:
        self._address = (host, port)
        self._free: deque[Wire] = deque(Wire(self) for _ in range(size))
        self._wires = list(self._free)
        self._waiting: deque[tuple[bytes, Answered]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.size = size
        self.resent = 0
        self.failure: Exception | None = None

    async def __aenter__(self) -> Pool:
        for wire in self._wires:
            await self._connect(wire)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for wire in self._wires:
            wire.close()
        await asyncio.sleep(0)  # the transports close in the loop's next round

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return len(self._waiting)

    def send(self, request: bytes, answered: Answered) -> None:
        """Send as soon as a connection is free."""
        if self._free:
            self._use(self._free.popleft(), request, answered)
        else:
            self._waiting.append((request, answered))

    async def ask(self, request: bytes) -> Answer:
        """Send, and wait for the answer; the waiting for a connection counts."""
        got: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()

        def answered(status: int, body: bytes) -> None:
            if not got.done():
                got.set_result(Answer(status, body, time.perf_counter() - begun))

        self.send(request, answered)
        return await got

    def give_up(self) -> int:
        """Forget the requests that still wait for a connection; how many they were."""
        dropped = len(self._waiting)
        self._waiting.clear()
        return dropped

    def release(self, wire: Wire) -> None:
        """A connection has done its work."""
        if self._waiting:
            self._use(wire, *self._waiting.popleft())
        else:
            self._free.append(wire)

    def lost(self, wire: Wire, request: bytes, answered: Answered) -> None:
        """The server closed a connection before it had answered: once more, on a new one."""
        self.resent += 1
        self._use(wire, request, answered)

    def fail(self, error: Exception) -> None:
        """Nothing sensible can follow: whoever runs the load raises it."""
        self.failure = self.failure or error

    def _use(self, wire: Wire, request: bytes, answered: Answered) -> None:
        if wire.open:
            wire.ask(request, answered)
            return
        task = asyncio.get_running_loop().create_task(self._use_anew(wire, request, answered))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _use_anew(self, wire: Wire, request: bytes, answered: Answered) -> None:
        try:
            await self._connect(wire)
        except OSError as error:
            self.fail(error)
            return
        wire.ask(request, answered)

    async def _connect(self, wire: Wire) -> None:
        loop = asyncio.get_running_loop()
        for left in reversed(range(TRIES)):
            try:
                await loop.create_connection(lambda: wire, *self._address)
                return
            except ConnectionError:
                if not left:
                    raise
                await asyncio.sleep(AGAIN)


@dataclass
class Load:
    """What a closed loop has seen: the tally, and how long it took from first to last answer."""

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    resent: int = 0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.tally) / self.seconds if self.seconds else 0.0


@dataclass(kw_only=True)
class Window:
    """A closed loop: each connection sends its next request when the one before is answered.

    It ends after `seconds` and `least` answers (for which it waits five times as long, no more),
    or when there are no requests left.
    """

    pool: Pool
    requests: Iterator[Request]
    heard: Heard
    seconds: float
    least: int = 0
    clock: Callable[[], float] = time.perf_counter
    load: Load = field(default_factory=Load)
    _begun: float = 0.0
    _under_way: int = 0
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Load:
        """What it has seen. Raises LoadError when nothing is answered for a minute."""
        self._begun = self.clock()
        for _ in range(self.pool.size):
            self._go_on()
        await _until(self._done, self.pool, self.load.tally)
        self.load.seconds = self.clock() - self._begun
        self.load.resent = self.pool.resent
        return self.load

    def _go_on(self) -> None:
        found = None if self._over() else next(self.requests, None)
        if found is None:
            if not self._under_way:
                self._done.set()
            return
        request, tag = found
        self._under_way += 1
        self.pool.send(request, partial(self._answered, tag, self.clock()))

    def _answered(self, tag: int, sent: float, status: int, body: bytes) -> None:
        self._under_way -= 1
        self.load.tally.add(status, self.clock() - sent)
        self.heard(tag, status, body)
        self._go_on()

    def _over(self) -> bool:
        spent = self.clock() - self._begun
        enough = len(self.load.tally) >= self.least or spent > PATIENT * self.seconds
        return spent > self.seconds and enough


async def _until(done: asyncio.Event, pool: Pool, tally: Tally) -> None:
    seen, since = -1, time.monotonic()
    while not done.is_set():
        try:
            await asyncio.wait_for(done.wait(), 1.0)
        except TimeoutError:
            if len(tally) != seen:
                seen, since = len(tally), time.monotonic()
        if pool.failure is not None:
            raise LoadError(str(pool.failure)) from pool.failure
        if time.monotonic() - since > PATIENCE:
            raise LoadError(f"no answer for {PATIENCE:g} s, after {len(tally)} answers")


def run_closed(
    host: str,
    port: int,
    requests: Iterator[Request],
    *,
    connections: int,
    heard: Heard,
    seconds: float,
    least: int = 0,
) -> Load:
    """A Window on connections of its own, from code that is not asynchronous."""

    async def run() -> Load:
        async with Pool(host, port, size=connections) as pool:
            window = Window(pool=pool, requests=requests, heard=heard, seconds=seconds, least=least)
            return await window.run()

    return asyncio.run(run())
