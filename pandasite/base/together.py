"""What is asked while another question is under way is asked together, by one of those who wait.

Who comes when few are asking does so at once, and alone. Those who come meanwhile wait for the end
of a question, and then the first of them asks for all. Answers are each one's own, and so are
errors: when several could not be answered together, each asks alone.

Who `ask`s waits on its thread for the answer. Who asks for `later` has its thread back while others
ask: threads of ours do for it what it would have done itself.
"""

from __future__ import annotations

import copy
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

# How long one waits for those before it, until others are asked beside them; for `later` up to
# twice as long.
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
    raise that means nothing for one of them. `threads` work for those who asked for `later`.
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
        threads: Executor,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._alone, self._several = alone, several
        self._keys, self._most, self._failures = keys, most, failures
        self._clock, self._patience = clock, patience
        self._threads = threads
        self._may_lead = leaders
        self._lock = threading.Lock()
        self._leaders: list[_One[Q, A]] = []  # who are asking, and are waited for
        self._waiting: deque[_One[Q, A]] = deque()
        self._looked_after: _One[Q, A] | None = None  # the first of them when a timer was set
        self._rest_until = -REST_SECONDS

    def ask(self, question: Q) -> A:
        """The answer. Raises what `alone` does."""
        if self._are_all_alone():
            return self._alone(question)
        one = _Waiting[Q, A](question)
        if not self._comes(one):  # also where its turn has come meanwhile: who waits takes it
            self._wait(one)
        if one.group:
            self._lead(one)
        if one.error is not None:
            raise one.error
        return one.answers.pop() if one.answers else self._alone(question)

    def later(self, question: Q) -> Future[A]:
        """The answer, or what `ask` would raise, once it is there; this thread may lead others."""
        one = _Later[Q, A](question)
        if self._are_all_alone():
            one.ask(self._alone)
        elif self._comes(one):
            self._lead(one)
        return one.future

    def _are_all_alone(self) -> bool:
        return self._most() < 2 or self._clock() < self._rest_until

    def _comes(self, one: _One[Q, A]) -> bool:
        """Whether it has to lead at once: else it waits."""
        with self._lock:
            self._waiting.append(one)
            if self._may_begin():
                self._waiting.pop()
                self._begin(one)
                return True
            if isinstance(one, _Later):
                self._look_after_the_first()
        return False

    def _wait(self, one: _Waiting[Q, A]) -> None:
        """Until it is answered or refused, or its turn to lead."""
        if one.turn.acquire(timeout=self._patience):
            return
        with self._lock:
            if one in self._waiting:  # those before it take long: they are left to themselves
                self._begin_beside(one)
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
            for each in group:  # each thread has a traceback of its own
                each.error = copy.copy(refusal.error)
        except Exception as error:  # noqa: BLE001 - whose it is raises it
            if isinstance(error, self._failures) and len(group) > 1:
                self._rest_until = self._clock() + REST_SECONDS
            else:
                one.error = error
        finally:
            self._goes_on(after=one)
            for each in group:
                each.is_done(self._threads, self._alone)

    def _goes_on(self, *, after: _One[Q, A]) -> None:
        """The first of those who wait leads now, unless somebody leads already."""
        with self._lock:
            if after not in self._leaders:
                return
            self._leaders.remove(after)
            if not self._may_begin():
                return
            first = self._waiting.popleft()
            self._begin(first)
        first.leads(self._threads, self._lead)

    def _may_begin(self) -> bool:
        """Whether there is somebody to lead, and few enough who do."""
        return bool(self._waiting) and len(self._leaders) < self._may_lead

    def _begin_beside(self, one: _One[Q, A]) -> None:
        self._waiting.remove(one)
        self._leaders.pop(0)
        self._begin(one)

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

    def _look_after_the_first(self) -> None:
        """Who has no thread that waits is looked after by a timer, the first for all behind it."""
        if self._looked_after is None:
            self._looked_after = self._waiting[0]
            timer = threading.Timer(self._patience, self._look)
            timer.daemon = True
            timer.start()

    def _look(self) -> None:
        """Let the first go on if it was the first before, and for the next one set the timer."""
        with self._lock:
            first, self._looked_after = self._looked_after, None
            if goes := bool(self._waiting and first is self._waiting[0]):
                self._begin_beside(self._waiting[0])
            if self._waiting:
                self._look_after_the_first()
        if goes and first:
            first.leads(self._threads, self._lead)


class _One(ABC, Generic[Q, A]):
    """A question under way."""

    __slots__ = ("answers", "error", "group", "question")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.group: list[_One[Q, A]] = []  # for whom it asks, itself among them
        self.answers: list[A] = []  # one, once it is answered
        self.error: Exception | None = None

    @abstractmethod
    def leads(self, threads: Executor, lead: Callable[[_One[Q, A]], None]) -> None:
        """Its group has begun."""

    @abstractmethod
    def is_done(self, threads: Executor, alone: Callable[[Q], A]) -> None:
        """It has an answer or an error, or has to ask alone."""


class _Waiting(_One[Q, A]):
    """One whose thread waits. `turn` is given free once there is something for it to do."""

    __slots__ = ("turn",)

    def __init__(self, question: Q) -> None:
        super().__init__(question)
        self.turn = threading.Lock()
        self.turn.acquire()

    def leads(self, threads: Executor, lead: Callable[[_One[Q, A]], None]) -> None:
        self.turn.release()

    def is_done(self, threads: Executor, alone: Callable[[Q], A]) -> None:
        self.turn.release()


class _Later(_One[Q, A]):
    """One whose thread does something else."""

    __slots__ = ("future",)

    def __init__(self, question: Q) -> None:
        super().__init__(question)
        self.future: Future[A] = Future()

    def leads(self, threads: Executor, lead: Callable[[_One[Q, A]], None]) -> None:
        threads.submit(lead, self)

    def is_done(self, threads: Executor, alone: Callable[[Q], A]) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        elif self.answers:
            self.future.set_result(self.answers.pop())
        else:
            threads.submit(self.ask, alone)

    def ask(self, alone: Callable[[Q], A]) -> None:
        """It alone, on this thread."""
        try:
            answer = alone(self.question)
        except Exception as error:  # noqa: BLE001 - who looks at the future raises it
            self.future.set_exception(error)
        else:
            self.future.set_result(answer)
