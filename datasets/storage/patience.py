"""Calls of a file system that may never come back: those of a mount whose server is away.

A thread in such a call cannot be interrupted. So a helper makes the call, and who waits for it gets
an error after a while and goes on. The helper stays behind, until the call comes back; what it has
brought by then is dropped. Few are left behind: what hangs already is not tried again for some
minutes, and a folder where several files hang is taken to hang as a whole.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from django.conf import settings

T = TypeVar("T")
MANY = 3  # files that hang: then their whole folder does
AGAIN_SECONDS = 600.0  # after so long one more call is risked where others hang
IDLE = 64  # helpers that are kept for the next call

_lock = threading.Lock()
_idle: deque[_Helper] = deque()
_left: set[_Call[Any]] = set()  # calls that nobody waits for any more


class Hangs(TimeoutError):
    """A call has not come back in time, or would not: it is an OSError like others."""

    def __init__(self, sentence: str, call: _Call[Any] | None = None) -> None:
        super().__init__(errno.ETIMEDOUT, sentence)
        self.call = call

    def blame(self, root: str) -> None:
        """Say that it is another folder that hangs."""
        if self.call is not None:
            self.call.root = root


class _Call(Generic[T]):
    """One call, of a file below a root; `late` cleans up after it when nobody waits any more."""

    def __init__(
        self, root: str, path: str, do: Callable[[], T], late: Callable[[T | None], object] | None
    ) -> None:
        self.root, self.path, self.do, self.late = root, path, do, late
        self.begun, self.ended = time.monotonic(), False
        self.answer: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def wait(self, seconds: float) -> T:
        """What it has brought. What it raised, or Hangs."""
        try:
            found, error = self.answer.get(timeout=max(0, self.begun + seconds - time.monotonic()))
        except Empty:
            if self._leave():
                raise Hangs(f"timed out: no answer in {seconds:.0f} s", self) from None
            found, error = self.answer.get()
        if error is not None:
            raise error
        return found  # type: ignore[return-value]

    def _leave(self) -> bool:
        """Wait no longer, unless it has just come back."""
        with _lock:
            if not self.ended:
                _left.add(self)
            return not self.ended

    def make(self, helper: _Helper) -> None:
        """The helper's part, which is free for others before the answer is heard."""
        found: T | None = None
        error: BaseException | None = None
        try:
            found = self.do()
        except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
            error = raised
        with _lock:
            self.ended = True
            alone = self in _left
            _left.discard(self)
        if alone and self.late is not None:
            with suppress(OSError):
                self.late(found)
        helper.rest()
        self.answer.put((found, error))


class _Helper(threading.Thread):
    """Makes one call after the other. It keeps no process from ending."""

    def __init__(self) -> None:
        super().__init__(name="storage-call", daemon=True)
        self.calls: SimpleQueue[_Call[Any]] = SimpleQueue()
        self.kept = True
        self.start()

    def run(self) -> None:
        while self.kept:
            self.calls.get().make(self)

    def rest(self) -> None:
        """Be free for the next call, or end when enough others are."""
        self.kept = len(_idle) < IDLE
        if self.kept:
            _idle.append(self)


def begin(
    root: str, path: str, do: Callable[[], T], *, late: Callable[[T | None], object] | None = None
) -> _Call[T]:
    """Have a call made; `wait` for it. Hangs where others hang already."""
    _check(root, path)
    call = _Call(root, path, do, late)
    try:
        helper = _idle.pop()
    except IndexError:
        helper = _Helper()
    helper.calls.put(call)
    return call


def patiently(
    root: str, path: str, do: Callable[[], T], *, late: Callable[[T | None], object] | None = None
) -> T:
    """Make a call that must come back within STORAGE_TIMEOUT_SECONDS, else Hangs."""
    return begin(root, path, do, late=late).wait(limit())


def limit() -> float:
    """How long (s) a folder may say nothing."""
    return float(settings.PANDASITE["STORAGE_TIMEOUT_SECONDS"])


def hanging() -> list[tuple[str, str]]:
    """Root and path of the calls that have not come back in this process."""
    with _lock:
        return [(call.root, call.path) for call in _left]


def _check(root: str, path: str) -> None:
    if not _left:
        return
    with _lock:
        here = [call for call in _left if call.root == root]
    same = [call for call in here if call.path == path]
    stuck = here if len({call.path for call in here}) >= MANY else same
    if not stuck:
        return
    ago = time.monotonic() - max(call.begun for call in stuck)
    if ago < AGAIN_SECONDS:
        raise Hangs(f"timed out: a call of {ago:.0f} s ago still hangs there")


def _forget() -> None:
    """A fork has none of the threads."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()
    _left.clear()


os.register_at_fork(after_in_child=_forget)
