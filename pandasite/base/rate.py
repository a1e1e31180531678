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
AWAY_SECONDS = 5  # how long a process leaves a broker alone that did not answer
_away_until = 0.0


class TooOften(DomainError):
    """The caller has to wait; `retry_after` says how long (s)."""

    code = "too_often"


def count(what: str, who: str, *, most: int) -> None:
    """One more call of `who`; TooOften when that is more than `most` in a minute. 0: no limit."""
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
            pipe.incr(key)
            pipe.ttl(key)
            _made, calls, left = pipe.execute()
    except (OperationalError, RedisError):
        _away_until = time.monotonic() + AWAY_SECONDS
        return
    if calls > most:
        wait = max(1, left)
        raise TooOften(
            f"more than {most} calls within a minute: come again in {wait} s", retry_after=wait
        )
