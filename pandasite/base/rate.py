"""How often somebody may call: counted by the broker, for all web processes together.

A minute begins with a caller's first call. A broker that is away counts nothing, and everybody is
let in: who calls too often costs less than a site that answers nobody.
"""

from __future__ import annotations

import hashlib
import time

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pandasite.base.errors import DomainError

SECONDS = 60
OFTEN_PART = 10  # of the limit, in one process: below that nobody is counted by the broker
OFTEN_KEPT = 100_000  # callers that a process counts by itself
AWAY_SECONDS = 5  # how long a process leaves a broker alone that did not answer
_away_until = 0.0
_here: dict[tuple[str, str], int] = {}
_minute = 0


class TooOften(DomainError):
    """The caller has to wait; `retry_after` says how long (s)."""

    code = "too_often"


def count_often(what: str, who: str, *, most: int) -> None:
    """The same as `count` for what is called all the time, without asking the broker each time.

    A process counts by itself until it has heard a tenth of `most` in a minute of its clock; only
    what goes beyond is counted for all processes together. So the limit is `most` and up to a tenth
    more for each process.
    """
    global _minute
    minute = _minute_now()
    if minute != _minute or len(_here) >= OFTEN_KEPT:
        _minute = minute
        _here.clear()
    key = (what, who)
    calls = _here[key] = _here.get(key, 0) + 1
    if calls > most // OFTEN_PART:
        count(what, who, most=most)


def _minute_now() -> int:
    return int(time.monotonic()) // SECONDS


def spent(what: str, who: str, *, most: int) -> None:
    """TooOften when `who` has been counted `most` times in this minute already; counts nothing."""
    _ask(what, who, most=most, calls=0)


def count(what: str, who: str, *, most: int) -> None:
    """One more call of `who`; TooOften when that is more than `most` in a minute. 0: no limit."""
    _ask(what, who, most=most, calls=1)


def _ask(what: str, who: str, *, most: int, calls: int) -> None:
    global _away_until
    if not most or time.monotonic() < _away_until:
        return
    # Who it is may be a name of any length, or of anybody's choice.
    key = f"rate.{what}.{hashlib.sha256(who.encode()).hexdigest()[:32]}"
    try:
        with (
            current_app.producer_pool.acquire(block=True) as producer,
            producer.channel.client.pipeline() as pipe,
        ):
            pipe.set(key, 0, nx=True, ex=SECONDS)
            pipe.incrby(key, calls)
            pipe.ttl(key)
            _made, counted, left = pipe.execute()
    except (OperationalError, RedisError):
        _away_until = time.monotonic() + AWAY_SECONDS
        return
    # Who asks without being counted is told what the next call would be.
    if counted + (1 - calls) > most:
        wait = max(1, left)
        raise TooOften(
            f"more than {most} calls within a minute: come again in {wait} s", retry_after=wait
        )
