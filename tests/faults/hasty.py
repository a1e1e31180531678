"""The product's Celery application with a broker that has no patience, and storage that takes long.

What a worker has not done after two seconds is delivered to another one as well; each delivery is
a line of the log. No copy begins while somebody else has the lock of a file, which the environment
names.
"""

from __future__ import annotations

import fcntl
import os
import sys
from typing import Any

import django
from celery.signals import task_received

from pandasite.celery import app

django.setup()

from datasets import storage  # noqa: E402

__all__ = ["app"]
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


_bring = storage.bring


def _bring_in_time(order: storage.Order) -> Any:
    with open(os.environ["FAULTS_GATE"], "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_SH)
    return _bring(order)


storage.bring = _bring_in_time
