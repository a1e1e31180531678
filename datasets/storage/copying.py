"""The copy of one file from one place to another: whole and proven, or not at all."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from django.conf import settings

from datasets.storage.base import (
    Arrival,
    BadContent,
    Copied,
    Place,
    SourceError,
    StorageError,
    summed,
)
from datasets.storage.local import LocalPlace
from datasets.storage.local_arrival import LocalArrival
from datasets.storage.settling import Unsettled

GRACE_SECONDS = 60.0  # how long a copy may be slower than the least rate


class Progress(Protocol):
    """Called between pieces with the bytes so far; StorageError ends the copy."""

    def __call__(self, done: int, /) -> None: ...


@dataclass(kw_only=True)
class Order:
    """A file to bring: where from and to, its path, what it is to be, and a name for the try."""

    source: Place
    target: Place
    path: str
    expected: Copied
    tag: str
    progress: Progress = field(default=lambda _done: None)
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True)
class Brought:
    """How it went: how the content is known to be right, and the seconds to the first byte.

    `unsettled`: what has yet to be seen to the disk (settling.py) before it may be relied on.
    """

    proof: str
    first_byte: float
    unsettled: Unsettled | None = None


def bring(order: Order) -> Brought:
    """Copy one file; it appears at the destination whole and proven or not at all.

    Raises SourceError (BadContent when the source itself has other content) when another source
    may serve, else StorageError. What was written until then is removed.
    """
    order.target.discard_old(order.path)
    if proof := _by_themselves(order):
        return Brought(proof=proof, first_byte=0.0)
    begun = order.clock()
    with _opened(order) as fill, ExitStack() as failed:
        first_byte = order.clock() - begun
        arrival = order.target.arrive(order.path, tag=order.tag, expected=order.expected)
        failed.callback(give_up, arrival)
        fill(arrival)
        proof = _prove(order, arrival)
        order.progress(order.expected.size)  # the last moment to learn that we are too late
        arrival.publish()
        failed.pop_all()
    return Brought(proof=proof, first_byte=first_byte, unsettled=unsettled(arrival))


def unsettled(arrival: Arrival) -> Unsettled | None:
    """What a power cut could still take of a file that has its name."""
    return arrival.unsettled if isinstance(arrival, LocalArrival) else None


def _by_themselves(order: Order) -> str:
    """Third-party copy, where both ends are of one service; how it is proven, or empty."""
    copy_from: Callable[..., str] | None = getattr(order.target, "copy_from", None)
    if copy_from is None or type(order.source) is not type(order.target):
        return ""
    return copy_from(
        order.source,
        order.path,
        expected=order.expected,
        tag=order.tag,
        progress=order.progress,
    )


@contextmanager
def _opened(order: Order) -> Iterator[Callable[[Arrival], None]]:
    """The source, ready to be poured into an arrival."""
    if isinstance(order.source, LocalPlace) and isinstance(order.target, LocalPlace):
        with order.source.open(order.path) as file:

            def take_over(arrival: Arrival) -> None:
                assert isinstance(arrival, LocalArrival)
                for done in arrival.take_over(file):
                    order.progress(done)

            yield take_over
        return
    with order.source.read(order.path) as pieces:
        yield lambda arrival: arrival.fill(_counted(order, pieces))


def _counted(order: Order, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, as long as they are what they should be and come fast enough."""
    size, adler = 0, 1
    pace = Pace(order.clock)
    for piece in pace.timed(pieces):
        size += len(piece)
        if size > order.expected.size:
            _blame(order, f"size is over {size - 1} bytes", size)
        adler = zlib.adler32(piece, adler)
        pace.check(size)
        if size == order.expected.size:
            _compare(order, size, adler)  # before the destination has the last of it
        yield piece
        order.progress(size)
    if size != order.expected.size or not size:
        _compare(order, size, adler)


class Pace:
    """How fast a copy is, and whose fault it is when it is too slow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.begun, self.waited = clock, clock(), 0.0

    def timed(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces; what is waited for them is the source's."""
        asked = self.clock()
        for piece in pieces:
            self.waited += self.clock() - asked
            yield piece
            asked = self.clock()

    def check(self, size: int) -> None:
        """Raises SourceError or StorageError when so many bytes are too few by now."""
        lasts = self.clock() - self.begun
        if lasts < GRACE_SECONDS or size > settings.PANDASITE["STORAGE_MIN_KB_S"] * 1000 * lasts:
            return
        kind = SourceError if self.waited > lasts / 2 else StorageError
        raise kind(f"too slow: {size} bytes in {lasts:.0f} s")


def _compare(order: Order, size: int, adler: int) -> None:
    found = Copied(size=size, adler32=f"{adler:08x}")
    if wrong := mismatch(found, order.expected):
        _blame(order, wrong, size)


def mismatch(found: Copied, expected: Copied) -> str:
    """What differs, empty when nothing does."""
    if found.size != expected.size:
        return f"size is {found.size} bytes, the catalogue says {expected.size}"
    if found.adler32 != expected.adler32:
        return f"adler32 is {found.adler32}, the catalogue says {expected.adler32}"
    return ""


def _blame(order: Order, wrong: str, size: int) -> None:
    """BadContent when the storage itself says that it has just this; else it may pass."""
    if isinstance(order.source, LocalPlace):
        raise BadContent(wrong)
    try:
        says = order.source.size(order.path)
    except StorageError as error:
        raise SourceError(str(error)) from error
    if says is not None and (says == size or says > size > order.expected.size):
        raise BadContent(wrong)
    raise SourceError(f"{wrong}; by its own account the storage has {says} bytes")


def _prove(order: Order, arrival: Arrival) -> str:
    """How it is known that what arrived is right."""
    try:
        return arrival.prove(order.expected)
    except StorageError:
        if isinstance(order.source, LocalPlace):
            with order.source.read(order.path) as pieces:
                if wrong := mismatch(summed(pieces), order.expected):
                    raise BadContent(wrong) from None
        raise


def give_up(arrival: Arrival) -> None:
    """Remove what has been written; what cannot be removed now, the next try removes."""
    with suppress(StorageError):
        arrival.discard()
