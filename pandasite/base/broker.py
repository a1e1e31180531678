"""How the broker is, as seen from this process: whether it answers, how soon, and what waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

SECONDS = 1  # a broker that takes longer does not answer
UNACKED = "unacked"  # where kombu keeps messages that a worker has and has not finished


@dataclass(frozen=True, kw_only=True)
class Broker:
    """What it says of itself; `ms` until it answered, `waiting` messages by queue."""

    ms: float
    version: str
    memory_bytes: int
    clients: int
    uptime: int  # seconds
    unfinished: int  # messages that workers have taken and not finished
    waiting: dict[str, int] = field(default_factory=dict)


def queues() -> list[str]:
    """The names of the queues that messages are sent to, by the settings."""
    routes = (current_app.conf.task_routes or {}).values()
    return sorted({current_app.conf.task_default_queue, *(route["queue"] for route in routes)})


def ping() -> float | None:
    """Milliseconds until the broker answered; None when it did not."""
    try:
        with _client() as client:
            return _ping(client)
    except (OperationalError, RedisError, OSError):
        return None


def look(queues: Iterable[str]) -> Broker | None:
    """Its facts, with the lengths of these queues; None when it does not answer."""
    try:
        with _client() as client:
            ms = _ping(client)
            info = client.info()
            waiting = {queue: int(client.llen(queue)) for queue in queues}
            unfinished = int(client.hlen(UNACKED))
    except (OperationalError, RedisError, OSError):
        return None
    return Broker(
        ms=ms,
        version=str(info.get("valkey_version") or info.get("redis_version") or ""),
        memory_bytes=int(info.get("used_memory") or 0),
        clients=int(info.get("connected_clients") or 0),
        uptime=int(info.get("uptime_in_seconds") or 0),
        unfinished=unfinished,
        waiting=waiting,
    )


def _ping(client: Any) -> float:
    begun = time.perf_counter()
    client.ping()
    return round((time.perf_counter() - begun) * 1000, 2)


@contextmanager
def _client() -> Iterator[Any]:
    """A connection of its own: a fork must not find that of a pool half used."""
    limits = {"socket_connect_timeout": SECONDS, "socket_timeout": SECONDS}
    options = {**current_app.conf.broker_transport_options, **limits}
    with current_app.connection_for_write(transport_options=options) as connection:
        connection.ensure_connection(max_retries=1, timeout=SECONDS)
        yield connection.default_channel.client
