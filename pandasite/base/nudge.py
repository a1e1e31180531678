"""Wake a sweep by name, best effort: a lost nudge costs one sweep interval, never a row.

Ten thousand reports a minute want one run of a sweep, not ten thousand: a nudge leaves a mark with
the broker, and while it is there further ones are dropped. The sweep takes the mark away when it
starts, before it looks: what a dropped nudge stood for is committed by then.

The timetable has marks of its own (`base/beat.py`), which go by the same rule.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
# A hint is worthless once it is late, and a task about one thing is offered again by then.
EXPIRES_SECONDS = 60
MARK_SECONDS = 10  # how long a lost message can hold up the next nudge of a sweep
AWAY_SECONDS = 5  # how long a process leaves a broker alone that did not answer
_away_until = 0.0
_silent = False


@contextmanager
def silence() -> Iterator[None]:
    """Nothing is sent by this process within: whoever runs the sweeps himself needs no hints."""
    global _silent
    before, _silent = _silent, True
    try:
        yield
    finally:
        _silent = before


def nudge(task: str, *args: Any, queue: str | None = None) -> None:
    """Send `task` once the transaction is committed; a broker that is away is only logged."""
    if not _silent:
        transaction.on_commit(lambda: _send(task, args, queue))


def heard(task: str, *args: Any) -> None:
    """The task starts and is going to look: whatever happens from now on is news again."""
    with _producer(task) as producer:
        producer.channel.client.delete(_mark(task, args), planned(task))


def planned(task: str) -> str:
    """The mark of a message of the timetable that waits for a worker."""
    return f"planned.{task}"


def forget_planned(tasks: Iterable[str]) -> None:
    """What a worker had taken that died holds up nothing."""
    with _producer("") as producer:
        producer.channel.client.delete(*map(planned, tasks))


def forget_nudged() -> None:
    """The same of nudges; whoever was told of something already is told once more."""
    with _producer("") as producer:
        marks = producer.channel.client
        if names := [*marks.scan_iter(_mark("*", ()))]:
            marks.delete(*names)


def _send(task: str, args: tuple[Any, ...], queue: str | None) -> None:
    if time.monotonic() < _away_until:
        return
    with _producer(task) as producer:
        marks = producer.channel.client
        lasts = EXPIRES_SECONDS if args else MARK_SECONDS
        if not marks.set(_mark(task, args), 1, nx=True, ex=lasts):
            return
        # No retry: the caller may be a web request. A sweep may wait for more news to come.
        current_app.send_task(
            task,
            args=args,
            queue=queue,
            retry=False,
            expires=EXPIRES_SECONDS,
            countdown=None if args else settings.PANDASITE["NUDGE_SECONDS"] or None,
            producer=producer,
        )


def _mark(task: str, args: tuple[Any, ...]) -> str:
    return ".".join(["nudged", task, *map(str, args)])


@contextmanager
def _producer(task: str) -> Iterator[Any]:
    """A connection to the broker; when that is away, this is logged and the block is left."""
    global _away_until
    try:
        with current_app.producer_pool.acquire(block=True) as producer:
            yield producer
    except (OperationalError, RedisError) as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        log.warning("nudge_lost", extra={"task": task, "error": str(error)})
