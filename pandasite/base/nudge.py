"""Wake a sweep by name, best effort: a lost nudge costs one sweep interval, never a row."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def nudge(task: str, *args: Any, queue: str | None = None) -> None:
    """Send `task` once the transaction is committed; a broker that is away is only logged."""
    transaction.on_commit(lambda: _send(task, args, queue))


def _send(task: str, args: tuple[Any, ...], queue: str | None) -> None:
    try:
        # No retry: the caller may be a web request. Expires: a hint is worthless once late.
        current_app.send_task(task, args=args, queue=queue, retry=False, expires=60)
    except OperationalError as error:
        log.warning("nudge_lost", extra={"task": task, "error": str(error)})
