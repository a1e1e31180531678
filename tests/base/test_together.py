"""What is asked while another question is under way is asked together; each has its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from pandasite.base import together
from pandasite.base.together import AllRefused, Together

LONG = 60.0


class Bad(Exception):
    """What a question may fail with."""


class Nobody(Executor):
    """Threads that are not wanted."""

    def submit(self, *_given: Any, **_more: Any) -> Any:
        raise AssertionError("nobody asked for an answer that comes later")


class Server:
    """Answers n with 10 n, one call at a time when `shut`; remembers who was asked for together."""

    def __init__(
        self,
        *,
        most: int = 16,
        leaders: int = 1,
        patience: float = LONG,
        threads: Executor | None = None,
    ) -> None:
        self.calls: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Semaphore(0)
        self.bad: set[int] = set()
        self.refusal: Exception | None = None
        self.now = 0.0
        self.door: Together[int, int] = Together(
            alone=lambda n: self._answered([n])[0],
            several=self._several,
            keys=lambda n: (("last", n % 100), ("first", n // 1000 or n)),
            most=lambda: most,
            leaders=leaders,
            failures=(Bad,),
            threads=threads or Nobody(),
            clock=lambda: self.now,
            patience=patience,
        )

    def _several(self, numbers: Sequence[int]) -> list[int]:
        if self.refusal:
            self.calls.append([*numbers])
            raise self.refusal
        return self._answered(numbers)

    def _answered(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append([*numbers])
        self.begun.release()
        assert self.open.wait(LONG)
        if wrong := self.bad & {*numbers}:
            raise Bad(f"{wrong}")
        return [10 * n for n in numbers]

    def until_waiting(self, n: int) -> None:
        """Until so many wait for others."""
        while len(self.door._waiting) < n:
            threading.Event().wait(0.001)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def queued(server: Server, threads: ThreadPoolExecutor, *numbers: int) -> list[Future[int]]:
    """The first of these is asked and gets no answer yet; the others wait, in this order."""
    server.open.clear()
    asked = [threads.submit(server.door.ask, numbers[0])]
    assert server.begun.acquire(timeout=LONG)
    for waiting, number in enumerate(numbers[1:], start=1):
        asked.append(threads.submit(server.door.ask, number))
        server.until_waiting(waiting)
    return asked


def results(server: Server, asked: list[Future[int]]) -> list[Any]:
    server.open.set()
    return [one.exception(LONG) or one.result() for one in asked]


def test_who_finds_nobody_asks_alone_and_at_once() -> None:
    server = Server()

    assert [server.door.ask(n) for n in (1, 2)] == [10, 20]
    assert server.calls == [[1], [2]]


def test_those_who_wait_are_asked_together_and_each_gets_its_answer(
    threads: ThreadPoolExecutor,
) -> None:
    server = Server()

    asked = queued(server, threads, 1, 2, 3, 4)

    assert results(server, asked) == [10, 20, 30, 40]
    assert server.calls == [[1], [2, 3, 4]]


def test_two_may_ask_at_the_same_time_before_others_wait(threads: ThreadPoolExecutor) -> None:
    server = Server(leaders=2)
    server.open.clear()
    asked = [threads.submit(server.door.ask, n) for n in (1, 2)]
    assert all(server.begun.acquire(timeout=LONG) for _ in asked)

    asked += [threads.submit(server.door.ask, n) for n in (3, 4)]
    server.until_waiting(2)

    assert results(server, asked) == [10, 20, 30, 40]
    assert sorted(server.calls[:2]) == [[1], [2]]
    assert sorted(n for call in server.calls[2:] for n in call) == [3, 4]


class Handing:
    """A lock after whose next release, by who comes to wait, its turn is given at once."""

    def __init__(self, lock: Any, hand: Callable[[], None]) -> None:
        self._lock, self._hand = lock, hand
        self._whose = threading.get_ident()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if threading.get_ident() == self._whose:
            self._whose = 0
            self._hand()


def test_a_turn_that_comes_before_one_waits_for_it_is_taken(threads: ThreadPoolExecutor) -> None:
    server = Server()
    [first] = queued(server, threads, 1)

    # when the first one ends between that the second joins those who wait, and waits
    def end() -> None:
        server.open.set()
        assert first.result(LONG) == 10

    server.door._lock = Handing(server.door._lock, end)  # type: ignore[assignment]

    # then it asks, and so does who comes next
    assert [server.door.ask(n) for n in (2, 3)] == [20, 30]
    assert server.calls == [[1], [2], [3]]


def test_a_group_has_no_more_than_it_may(threads: ThreadPoolExecutor) -> None:
    server = Server(most=2)

    asked = queued(server, threads, 1, 2, 3, 4)

    assert results(server, asked) == [10, 20, 30, 40]
    assert server.calls == [[1], [2, 3], [4]]


@pytest.mark.parametrize(("one", "other"), [(2, 102), (5004, 5006)], ids=["last", "first"])
def test_the_same_key_is_in_a_group_once_and_comes_next(
    threads: ThreadPoolExecutor, one: int, other: int
) -> None:
    server = Server()

    asked = queued(server, threads, 1, one, other, 3)

    assert results(server, asked) == [10, 10 * one, 10 * other, 30]
    assert server.calls == [[1], [one, 3], [other]]


def test_where_one_may_be_a_group_nobody_waits(threads: ThreadPoolExecutor) -> None:
    server = Server(most=1)
    server.open.clear()

    asked = [threads.submit(server.door.ask, n) for n in (1, 2)]
    assert all(server.begun.acquire(timeout=LONG) for _ in asked)

    assert results(server, asked) == [10, 20]


def test_the_error_of_one_is_not_anothers(threads: ThreadPoolExecutor) -> None:
    server = Server()
    server.bad = {3}

    asked = queued(server, threads, 1, 2, 3, 4)

    ten, twenty, error, forty = results(server, asked)
    assert (ten, twenty, forty) == (10, 20, 40)
    assert isinstance(error, Bad)
    assert server.calls[:2] == [[1], [2, 3, 4]]
    assert sorted(server.calls[2:]) == [[2], [3], [4]]


def test_the_error_of_who_asks_alone_is_its_own(threads: ThreadPoolExecutor) -> None:
    server = Server()
    server.bad = {1, 2}

    asked = queued(server, threads, 1, 2)

    assert [type(found) for found in results(server, asked)] == [Bad, Bad]
    assert server.calls == [[1], [2]]
    assert server.door.ask(3) == 30


def test_after_a_group_has_failed_all_ask_alone_for_a_while(threads: ThreadPoolExecutor) -> None:
    server = Server()
    server.bad = {3}
    results(server, queued(server, threads, 1, 2, 3))
    del server.calls[:]

    # when: at once, and later
    server.open.clear()
    at_once = [threads.submit(server.door.ask, n) for n in (4, 5)]
    assert all(server.begun.acquire(timeout=LONG) for _ in range(2))
    results(server, at_once)
    server.now = together.REST_SECONDS
    while server.begun.acquire(blocking=False):
        pass
    results(server, queued(server, threads, 6, 7, 8))

    # then
    assert sorted(server.calls[:2]) == [[4], [5]]
    assert server.calls[2:] == [[6], [7, 8]]


def test_what_nobody_can_be_answered_is_said_to_each_and_not_asked_again(
    threads: ThreadPoolExecutor,
) -> None:
    server = Server()
    server.refusal = AllRefused(Bad("gone"))

    asked = queued(server, threads, 1, 2, 3)

    ten, *errors = results(server, asked)
    assert [str(error) for error in errors] == ["gone", "gone"]
    assert errors[0] is not errors[1]
    assert (ten, server.calls) == (10, [[1], [2, 3]])


def test_an_error_that_nobody_expects_is_the_leaders_and_the_others_go_on(
    threads: ThreadPoolExecutor,
) -> None:
    server = Server()
    server.refusal = ZeroDivisionError("a flaw")

    asked = queued(server, threads, 1, 2, 3)

    ten, leader, other = results(server, asked)
    assert (ten, other) == (10, 30)
    assert isinstance(leader, ZeroDivisionError)


@pytest.mark.parametrize("slow", [[1], [1, 2, 3]], ids=["one", "a group"])
def test_who_has_waited_long_does_not_wait_for_those_before(
    threads: ThreadPoolExecutor, slow: list[int]
) -> None:
    # given: nobody answers those who have come
    server = Server(patience=0.01)
    server.open.clear()
    asked = [threads.submit(server.door.ask, n) for n in slow]
    until(lambda: {n for call in server.calls for n in call} == {*slow})

    # when
    late = threads.submit(server.door.ask, 9)

    # then
    until(lambda: [9] in server.calls)
    assert results(server, [*asked, late]) == [10 * n for n in (*slow, 9)]
    assert server.door.ask(5) == 50


def until(true: Callable[[], bool]) -> None:
    while not true():
        threading.Event().wait(0.001)
