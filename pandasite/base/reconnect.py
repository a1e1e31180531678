"""How soon a worker finds a broker that was away: by itself Celery waits for up to half a minute.

Its pauses grow by two seconds with each try, to thirty, and cannot be set.
"""

from __future__ import annotations

from typing import Any

from celery.app import amqp
from kombu.connection import Connection

STEP_SECONDS = 1  # by which the pauses grow
MOST_SECONDS = 5


class Reconnecting(Connection):
    """A connection whose owner tries again in seconds, unless he says otherwise."""

    def _ensure_connection(
        self,
        errback: Any = None,
        max_retries: int | None = None,
        interval_start: float = STEP_SECONDS,
        interval_step: float = STEP_SECONDS,
        interval_max: float = MOST_SECONDS,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        pauses = (interval_start, interval_step, interval_max)
        return super()._ensure_connection(errback, max_retries, *pauses, *args, **kwargs)


class AMQP(amqp.AMQP):
    """Celery's, with connections of ours."""

    Connection = BrokerConnection = Reconnecting
