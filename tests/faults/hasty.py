"""The product's Celery application with a broker that has no patience.

What a worker has not done after two seconds is delivered to another one as well; each delivery is
a line of the log.
"""

from __future__ import annotations

import sys
from typing import Any

from celery.signals import task_received

from pandasite.celery import app

VISIBLE_SECONDS = 2
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": VISIBLE_SECONDS,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 1,
}


@task_received.connect
def _say(request: Any, **_: Any) -> None:
    out = sys.__stdout__  # Celery makes log lines of what is written to the other one
    if out is not None:
        out.write(f"delivered {request.name} {request.id}\n")
        out.flush()
