"""The HTTP client of the benchmarks, against a server that is told how to behave."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from benchmarks.load import Load, LoadError, Pool, Request, Window

HOST = "127.0.0.1"
Write = Callable[[asyncio.StreamWriter, int], Coroutine[Any, Any, None]]


def answer(body: bytes, *, status: int = 200, length: str = "Content-Length") -> bytes:
    return f"HTTP/1.1 {status} Said\r\n{length}: {len(body)}\r\n\r\n".encode() + body


async def echo(writer: asyncio.StreamWriter, nr: int) -> None:
    """The plainest server: the n-th request is answered with its number."""
    writer.write(answer(str(nr).encode()))


@asynccontextmanager
async def served(write: Write = echo) -> AsyncIterator[int]:
    """A server that answers each request (they end with a dot) by `write`; its port."""
    numbers = itertools.count(1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"."):
                await write(writer, next(numbers))
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(talk, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


def load_of(n: int, *, size: int = 2, write: Write = echo) -> tuple[Load, list[tuple[int, bytes]]]:
    """`n` requests in a closed loop: what it has counted, and (tag, body) of each answer."""
    heard: list[tuple[int, bytes]] = []
    requests: list[Request] = [(b"ask.", 100 + i) for i in range(n)]

    async def run() -> Load:
        async with served(write) as port, Pool(HOST, port, size=size) as pool:
            return await Window(
                pool=pool,
                requests=iter(requests),
                heard=lambda tag, status, body: heard.append((tag, body)),
                seconds=60,
            ).run()

    return asyncio.run(run()), heard


def test_each_request_is_answered_once_and_comes_back_with_its_tag():
    load, heard = load_of(50, size=4)

    assert sorted(tag for tag, _ in heard) == list(range(100, 150))
    assert sorted(int(body) for _, body in heard) == list(range(1, 51))
    assert load.tally.statuses == {200: 50}
    assert load.resent == 0


def test_a_loop_without_requests_ends():
    load, heard = load_of(0)

    assert (len(load.tally), heard) == (0, [])


def window_of(*, seconds: float, least: int) -> int:
    """Answers of a window by a clock that moves a thousandth each time somebody looks at it."""
    ticks = itertools.count()

    async def run() -> Load:
        async with served() as port, Pool(HOST, port, size=1) as pool:
            return await Window(
                pool=pool,
                requests=itertools.repeat((b"ask.", 0)),
                heard=lambda tag, status, body: None,
                seconds=seconds,
                least=least,
                clock=lambda: next(ticks) / 1000,
            ).run()

    return len(asyncio.run(run()).tally)


def test_a_window_goes_on_until_it_has_the_answers_it_wants():
    assert window_of(seconds=0.01, least=0) < 8
    assert window_of(seconds=0.01, least=8) == 8


def test_a_window_does_not_wait_for_ever_for_the_answers_it_wants():
    assert window_of(seconds=0.01, least=1_000_000) < 50


def test_an_answer_may_come_in_pieces():
    async def dribble(writer: asyncio.StreamWriter, nr: int) -> None:
        for piece in answer(b"x" * 5000, length="content-length").partition(b"\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    _, heard = load_of(3, write=dribble)

    assert [body for _, body in heard] == [b"x" * 5000] * 3


def test_errors_are_counted_by_their_status():
    async def refuse(writer: asyncio.StreamWriter, nr: int) -> None:
        writer.write(answer(b"no", status=503 if nr % 2 else 200))

    load, _ = load_of(10, size=1, write=refuse)

    assert load.tally.statuses == {200: 5, 503: 5}
    assert load.tally.errors == 5


def test_a_request_whose_connection_is_lost_is_sent_again():
    async def hang_up(writer: asyncio.StreamWriter, nr: int) -> None:
        if nr == 2:
            writer.close()
        else:
            await echo(writer, nr)

    load, heard = load_of(5, size=1, write=hang_up)

    assert sorted(tag for tag, _ in heard) == list(range(100, 105))
    assert load.resent == 1


def test_a_connection_that_was_closed_while_idle_is_made_again():
    async def once(writer: asyncio.StreamWriter, nr: int) -> None:
        await echo(writer, nr)
        writer.close()

    async def run() -> list[bytes]:
        async with served(once) as port, Pool(HOST, port, size=1) as pool:
            found = []
            for _ in range(3):
                found.append((await pool.ask(b"ask.")).body)
                await asyncio.sleep(0.01)
            return found

    assert asyncio.run(run()) == [b"1", b"2", b"3"]


def test_more_requests_than_connections_wait_their_turn():
    async def run() -> list[int]:
        async with served() as port, Pool(HOST, port, size=2) as pool:
            answers = await asyncio.gather(*(pool.ask(b"ask.") for _ in range(7)))
            return sorted(int(one.body) for one in answers)

    assert asyncio.run(run()) == [1, 2, 3, 4, 5, 6, 7]


def test_requests_that_are_given_up_are_not_sent():
    async def run() -> tuple[int, int]:
        async with served() as port, Pool(HOST, port, size=1) as pool:
            first = asyncio.ensure_future(pool.ask(b"ask."))
            await asyncio.sleep(0)
            pool.send(b"ask.", lambda status, body: None)
            return pool.give_up(), int((await first).body)

    assert asyncio.run(run()) == (1, 1)


def test_an_answer_that_is_not_understood_ends_the_load():
    async def chunked(writer: asyncio.StreamWriter, nr: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    with pytest.raises(LoadError, match="without Content-Length"):
        load_of(1, size=1, write=chunked)
