"""Many pilots at a time, each in a thread: what they do, and what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.faults.grid import Place
from tests.faults.pilots import Pilot

if TYPE_CHECKING:
    from tests.faults.books import Books

CLAIMERS = 8


def at_once(deeds: Sequence[Callable[[], object]]) -> list[Exception]:
    """Do all of them, each in a thread, all from the same moment on; what went wrong."""
    start, wrong = threading.Barrier(len(deeds)), []

    def do(deed: Callable[[], object]) -> None:
        start.wait()
        try:
            deed()
        except Exception as error:  # noqa: BLE001  handed to the test
            wrong.append(error)

    threads = [threading.Thread(target=do, args=(deed,), daemon=True) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


class Crew:
    """Threads at work while the test does something else; `finish` waits and tells of errors."""

    def __init__(self, deeds: Sequence[Callable[[], object]]) -> None:
        self._wrong: list[Exception] = []
        self._thread = threading.Thread(target=self._work, args=(deeds,), daemon=True)
        self._thread.start()

    def _work(self, deeds: Sequence[Callable[[], object]]) -> None:
        self._wrong = at_once(deeds)

    @property
    def busy(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        self._thread.join()
        if self._wrong:
            raise self._wrong[0]


def runner(pilot: Pilot) -> Callable[[], None]:
    """Takes jobs and does them, until there is none left."""

    def work() -> None:
        while (job := pilot.claim()) is not None:
            pilot.run(job)

    return work


def taker(pilot: Pilot) -> Callable[[], None]:
    """Takes jobs until there is none left, and says nothing more."""

    def work() -> None:
        while pilot.claim() is not None:
            pass

    return work


def claimed(books: Books, place: Place, number: int) -> list[dict[str, Any]]:
    """So many new jobs, each in the hands of a pilot; in the order of their PandaIDs."""
    books.activated(place, number)
    at = len(books.history.ops)
    Crew([taker(books.pilot(place)) for _ in range(min(number, CLAIMERS))]).finish()
    jobs = [op.job for op in books.history.ops[at:] if op.op == "claim" and op.job]
    assert len(jobs) == number, f"{len(jobs)} claims were given a job"
    return sorted(jobs, key=lambda job: job["panda_id"])


def ids(jobs: Sequence[dict[str, Any]]) -> list[int]:
    return [job["panda_id"] for job in jobs]
