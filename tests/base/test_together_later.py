"""Who asks for an answer that comes later has its thread back, and is asked for like others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from pandasite.base import together
from pandasite.base.together import AllRefused
from tests.base.test_together import LONG, Bad, Server, results, until


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def queued(server: Server, threads: ThreadPoolExecutor, *numbers: int) -> list[Future[int]]:
    """The first of these is asked and gets no answer yet; the others wait, and this thread not."""
    server.open.clear()
    first: Future[int] = Future()
    threads.submit(_tell, server, numbers[0], first)
    assert server.begun.acquire(timeout=LONG)
    return [first, *(server.door.later(number) for number in numbers[1:])]


def _tell(server: Server, number: int, told: Future[int]) -> None:
    try:
        told.set_result(server.door.later(number).result(LONG))
    except Bad as error:
        told.set_exception(error)


def test_who_finds_nobody_asks_alone_and_at_once(threads: ThreadPoolExecutor) -> None:
    server = Server(threads=threads)

    asked = [server.door.later(n) for n in (1, 2)]

    assert all(one.done() for one in asked)
    assert results(server, asked) == [10, 20]
    assert server.calls == [[1], [2]]


def test_those_who_come_meanwhile_are_asked_together(threads: ThreadPoolExecutor) -> None:
    server = Server(most=3, threads=threads)

    asked = queued(server, threads, 1, 2, 3, 102, 4, 5, 6)

    assert results(server, asked) == [10, 20, 30, 1020, 40, 50, 60]
    assert server.calls == [[1], [2, 3, 4], [102, 5, 6]]


def test_who_waits_and_who_does_not_are_asked_together(threads: ThreadPoolExecutor) -> None:
    server = Server(threads=threads)
    asked = queued(server, threads, 1, 2)

    for n in (3, 4):
        asked.append(threads.submit(server.door.ask, n))
        server.until_waiting(n - 1)
    asked.append(server.door.later(5))

    assert results(server, asked) == [10, 20, 30, 40, 50]
    assert server.calls == [[1], [2, 3, 4, 5]]


@pytest.mark.parametrize("numbers", [[1], [1, 2], [1, 2, 3, 4]], ids=len)
def test_the_error_of_one_is_not_anothers(
    threads: ThreadPoolExecutor, numbers: Sequence[int]
) -> None:
    server = Server(threads=threads)
    bad = numbers[-1]
    server.bad = {bad}

    told = dict(zip(numbers, results(server, queued(server, threads, *numbers)), strict=True))

    assert isinstance(told.pop(bad), Bad)
    assert told == {n: 10 * n for n in numbers[:-1]}


def test_after_a_group_has_failed_who_comes_asks_alone_and_at_once(
    threads: ThreadPoolExecutor,
) -> None:
    server = Server(threads=threads)
    server.bad = {3}
    results(server, queued(server, threads, 1, 2, 3))
    del server.calls[:]

    asked = [server.door.later(n) for n in (3, 4)]

    assert all(one.done() for one in asked)
    assert [isinstance(asked[0].exception(), Bad), asked[1].result()] == [True, 40]
    assert server.calls == [[3], [4]]


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (AllRefused(Bad("gone")), [Bad, Bad, Bad]),
        (ZeroDivisionError("a flaw"), [ZeroDivisionError, int, int]),
    ],
    ids=["refused", "flaw"],
)
def test_what_goes_wrong_for_all_is_said_to_each_and_the_next_go_on(
    threads: ThreadPoolExecutor, refusal: Exception, told: list[type]
) -> None:
    server = Server(threads=threads)
    server.refusal = refusal

    _, *others = results(server, queued(server, threads, 1, 2, 3, 4))

    assert [type(one) for one in others] == told
    server.refusal = None
    server.now = together.REST_SECONDS
    assert server.door.later(5).result(LONG) == 50


@pytest.mark.parametrize("slow", [[1], [1, 2, 3]], ids=["one", "a group"])
def test_who_has_waited_long_does_not_wait_for_those_before(
    threads: ThreadPoolExecutor, slow: list[int]
) -> None:
    # given: nobody answers those who have come
    server = Server(patience=0.01, threads=threads)
    asked = queued(server, threads, *slow)
    until(lambda: {n for call in server.calls for n in call} == {*slow})

    # when
    late = [server.door.later(n) for n in (8, 9)]

    # then
    until(lambda: {n for call in server.calls for n in call} == {*slow, 8, 9})
    assert results(server, [*asked, *late]) == [10 * n for n in (*slow, 8, 9)]
    assert server.door.later(5).result(LONG) == 50


def test_no_timer_is_left_when_nobody_waits(threads: ThreadPoolExecutor) -> None:
    others = {*threading.enumerate()}  # timers of other tests, which are patient
    server = Server(patience=0.01, threads=threads)
    results(server, queued(server, threads, 1, 2))

    until(lambda: not any(isinstance(one, threading.Timer) for one in _begun(others)))

    assert server.door.later(3).result(LONG) == 30


def _begun(others: set[threading.Thread]) -> set[threading.Thread]:
    return {*threading.enumerate()} - others
