"""What is asked while another question is under way is asked together, by one of those who wait.

Who comes when few are asking does so at once, and alone. Those who come meanwhile wait for the end
of a question, and then the first of them asks for all. Answers are each one's own, and so are
errors: when several could not be answered together, each asks alone.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

# How long one waits for those before it, until others are asked beside them.
PATIENCE_SECONDS = 0.25
REST_SECONDS = 1.0  # for which everybody asks alone, after several could not be answered together


class AllRefused(Exception):
    """Nobody of several can be answered, and it would not help to ask alone: `error` says why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Together(Generic[Q, A]):
    """`alone` answers one question, `several` some, in their order; any thread may `ask`.

    `leaders` ask at the same time at most. No two of a group have one of their `keys` in common.
    `most` says how many may be a group: one, and all ask alone. `failures` are what `several` may
    raise that means nothing for one of them.
    """

    def __init__(
        self,
        *,
        alone: Callable[[Q], A],
        several: Callable[[Sequence[Q]], Sequence[A]],
        keys: Callable[[Q], Collection[Hashable]],
        most: Callable[[], int],
        leaders: int,
        failures: tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._alone, self._several = alone, several
        self._keys, self._most, self._failures = keys, most, failures
        self._clock, self._patience = clock, patience
        self._may_lead = leaders
        self._lock = threading.Lock()
        self._leaders: list[_One[Q, A]] = []  # who are asking, and are waited for
        self._waiting: deque[_One[Q, A]] = deque()
        self._rest_until = -REST_SECONDS

    def ask(self, question: Q) -> A:
        """The answer. Raises what `alone` does."""
        if self._most() < 2 or self._clock() < self._rest_until:
            return self._alone(question)
        one: _One[Q, A] = _One(question)
        with self._lock:
            self._waiting.append(one)
            if at_once := self._may_begin():
                self._waiting.pop()
                self._begin(one)
        if not at_once:  # also where its turn has come meanwhile: that is taken by who waits
            self._wait(one)
        if one.group:
            self._lead(one)
        return one.answers.pop() if one.answers else self._after_all(one)

    def _wait(self, one: _One[Q, A]) -> None:
        """Until it is answered or refused, or its turn to lead."""
        if one.turn.acquire(timeout=self._patience):
            return
        with self._lock:
            if one in self._waiting:  # those before it take long: they are left to themselves
                self._waiting.remove(one)
                self._leaders.pop(0)
                self._begin(one)
                return
        one.turn.acquire()

    def _lead(self, one: _One[Q, A]) -> None:
        """Ask for all of its group. Whatever happens, the next ones go on, and nobody waits on."""
        group = one.group
        try:
            if len(group) == 1:
                one.answers.append(self._alone(one.question))
                return
            answers = self._several([each.question for each in group])
            for each, answer in zip(group, answers, strict=True):
                each.answers.append(answer)
        except AllRefused as refusal:
            for each in group:
                each.error = refusal.error
        except self._failures:
            if len(group) == 1:
                raise
            self._rest_until = self._clock() + REST_SECONDS
        finally:
            self._go_on(after=one)
            for each in group:
                each.turn.release()

    def _go_on(self, *, after: _One[Q, A]) -> None:
        """The first of those who wait leads now, unless somebody leads already."""
        with self._lock:
            if after not in self._leaders:
                return
            self._leaders.remove(after)
            if not self._may_begin():
                return
            first = self._waiting.popleft()
            self._begin(first)
        first.turn.release()

    def _may_begin(self) -> bool:
        """Whether there is somebody to lead, and few enough who do."""
        return bool(self._waiting) and len(self._leaders) < self._may_lead

    def _begin(self, first: _One[Q, A]) -> None:
        """It leads itself and those who wait, as many as there may be."""
        first.group, keys = [first], {*self._keys(first.question)}
        later: list[_One[Q, A]] = []  # of whose keys one is in the group, or of one who is later
        most = self._most()
        while self._waiting and len(first.group) < most:
            one = self._waiting.popleft()
            own = self._keys(one.question)
            (first.group if keys.isdisjoint(own) else later).append(one)
            keys.update(own)
        self._waiting.extendleft(reversed(later))
        self._leaders.append(first)

    def _after_all(self, one: _One[Q, A]) -> A:
        if one.error is not None:
            raise copy.copy(one.error) from one.error  # each thread has its own traceback
        return self._alone(one.question)


class _One(Generic[Q, A]):
    """A question under way. `turn` is given free once there is something for it to do."""

    __slots__ = ("answers", "error", "group", "question", "turn")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.group: list[_One[Q, A]] = []  # for whom it asks, itself among them
        self.answers: list[A] = []  # one, once it is answered
        self.error: Exception | None = None
        self.turn = threading.Lock()
        self.turn.acquire()
