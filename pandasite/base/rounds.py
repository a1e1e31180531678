"""One round of a sweep over items that may each go wrong without stopping the others.

A lock that is not to be had, a deadlock or a statement that took too long is the trouble of one
item: it is logged with the item's name, and the round goes on. A lost connection ends the round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from django.db import OperationalError
from psycopg2 import errors

log = logging.getLogger(__name__)
Item = TypeVar("Item")

SECONDS = 5.0  # of a round: the other sweeps wait behind it, and it comes again
SHOWN = 10  # items named in the record of the run
# What may go well next time, by the driver's names of PostgreSQL's 40001, 40P01, 55P03, 57014.
PASSING: dict[type[Exception], str] = {
    errors.SerializationFailure: "it could not be serialised with others",
    errors.DeadlockDetected: "it was in a deadlock",
    errors.LockNotAvailable: "a lock was not to be had in time",
    errors.QueryCanceled: "a statement took too long",
}


class Incomplete(Exception):
    """The round went through, but not all of its items could be done. `rows` is what was."""

    def __init__(self, failures: Sequence[str], *, rows: int) -> None:
        more = "; ..." if len(failures) > SHOWN else ""
        super().__init__(f"{len(failures)} left for next time: {'; '.join(failures[:SHOWN])}{more}")
        self.rows = rows


class Round:
    """Counts the rows changed by the items that went well, and names the others.

    A loop over many items asks `over`, and leaves the rest to the next round.
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds
        self.rows = 0
        self.failures: list[str] = []

    @property
    def over(self) -> bool:
        """Whether the time of this round is used up."""
        return time.monotonic() >= self._end

    def do(self, item: str, work: Callable[[], int]) -> bool:
        """Do one item, of which `item` is the name; whether it went well."""
        try:
            rows = work()
        except OperationalError as error:
            trouble = _passing(error)
            if trouble is None:
                raise
            log.warning("left_for_next_time", extra={"item": item, "error": str(error)})
            self.failures.append(f"{item}: {trouble}")
            return False
        self.rows += rows
        return True

    def together(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], int],
        *,
        name: Callable[[Item], str] = str,
    ) -> list[Item]:
        """Do all items at once; what may pass and is in the way makes it do each on its own.

        Returns those that did not go well. `work` is to be one transaction.
        """
        try:
            self.rows += work(items) if items else 0
        except OperationalError as error:
            if _passing(error) is None:
                raise
            log.info("one_by_one", extra={"items": len(items), "error": str(error)})
            return self._one_by_one(items, work, name)
        return []

    def _one_by_one(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], int],
        name: Callable[[Item], str],
    ) -> list[Item]:
        """One at least; those that the time of the round does not allow are not done at all."""
        failed = []
        for item in items:
            if not self.do(name(item), partial(work, [item])):
                failed.append(item)
            if self.over:
                break
        return failed

    def end(self) -> int:
        """The rows changed; Incomplete when an item is left."""
        if self.failures:
            raise Incomplete(self.failures, rows=self.rows)
        return self.rows


def _passing(error: OperationalError) -> str | None:
    """In words, what may go well next time; None: it will not."""
    return PASSING.get(type(error.__cause__))  # type: ignore[arg-type]
