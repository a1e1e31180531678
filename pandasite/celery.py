"""The Celery application and its timetable. A message is a hint, the truth is a row."""

import logging
import os
import signal
import threading
from typing import Any

from celery import Celery
from celery.signals import (
    beat_embedded_init,
    task_postrun,
    task_prerun,
    task_revoked,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.db import close_old_connections, connections

from pandasite.base import nudge
from pandasite.base.logging import setup_celery_logging
from pandasite.embedded.process import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
log = logging.getLogger(__name__)
app = Celery("pandasite", amqp="pandasite.base.reconnect:AMQP")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
setup_celery_logging(app)
# Who reads this file starts the pool and beat, as forks of itself.
_PARENT = os.getpid()

# Workers may be so late with what the timetable asks for.
WAIT_SECONDS, WAIT_ROUNDS, WAIT_MOST_SECONDS = 30, 5, 600
# How often a sweep runs, in units of SWEEP_SECONDS.
SWEEPS = {
    "jobs.wake": 1,
    "jobs.assign": 1,
    "jobs.activate": 1,
    "jobs.register": 1,
    "jobs.complete_transfers": 1,
    "jobs.watch": 1,
    "jobs.tasks": 1,
    "datasets.schedule_transfers": 1,
    "datasets.stage": 1,
    "jobs.fold_counts": 1,
    "jobs.count_pilots": 3,
    "datasets.measure_storage": 6,
    "datasets.sum_datasets": 3,
    "datasets.mind_ddm": 1,
    "datasets.keep_wishes": 3,
    "jobs.move": 1,
    "datasets.send_callbacks": 1,
    "datasets.sync_ddm": 3,
    "datasets.check_storages": 6,
    "datasets.sum_transfers": 3,
    "datasets.sample_space": 30,
    "jobs.erase_expired": 6,
    "jobs.close_datasets": 6,
    "jobs.archive": 6,
    "jobs.sum_usage": 6,
    "jobs.tally_live": 18,
    "jobs.shares": 1,
    "jobs.housekeep": 60,
    "monitor.count_facets": 15,
    "monitor.forget_events": 60,
    "monitor.sum_physics": 30,
    "monitor.roll_up": 3,
    "monitor.alerts": 6,
}


def waits(round_seconds: int) -> int:
    """For how long a message of the timetable waits for a worker before it is too old (s)."""
    return max(round_seconds, WAIT_SECONDS, min(WAIT_ROUNDS * round_seconds, WAIT_MOST_SECONDS))


def timetable(*, sweep_seconds: int) -> dict[str, dict[str, Any]]:
    """Celery's beat schedule; one message of a sweep waits at a time (`base/beat.py`)."""
    return {
        name: {
            "task": name,
            "schedule": float(rounds * sweep_seconds),
            # By its name in django-celery-beat, which drops Celery's own `expires` without a word.
            "options": {"expire_seconds": waits(rounds * sweep_seconds)},
        }
        for name, rounds in SWEEPS.items()
    }


@task_prerun.connect
@task_postrun.connect
def _as_between_two_requests(sender: Any, **_: object) -> None:
    """A connection is kept, unless it is broken or old; most of what an idle sweep costs is one."""
    if not sender.request.is_eager:  # else it is that of whoever calls
        close_old_connections()


@worker_init.connect
@beat_embedded_init.connect
def _begin_without_connections(**_: object) -> None:
    """Two processes must not speak over one."""
    connections.close_all()


@worker_process_init.connect
@beat_embedded_init.connect
def _end_with_the_worker(**_: object) -> None:
    """A killed worker leaves neither a pool process nor a second beat behind.

    Nor one that was only just being started.
    """
    if os.getpid() != _PARENT:  # a pool of one has no processes of its own
        die_with_parent(signal.SIGKILL, parent=_PARENT)


@worker_ready.connect
def _forget_what_another_had_taken(**_: object) -> None:
    from django.conf import settings  # read after this file, which they import

    nudge.forget_planned(settings.EXPECTED_SWEEPS)
    nudge.forget_nudged()


@task_revoked.connect
def _forget_what_was_too_old(sender: Any, expired: bool, **_: object) -> None:
    """It was not done, and holds up nothing; to a clock that is wrong everything is too old."""
    if expired:
        nudge.forget_planned([sender.name])


@worker_ready.connect
def _say_that_we_are_there(sender: Any, **_: object) -> None:
    from pandasite.base import presence  # its models need Django to be set up

    presence.announce("worker", work=", ".join(sorted(sender.app.amqp.queues.consume_from)))


@worker_shutdown.connect
def _say_that_we_end(**_: object) -> None:
    from pandasite.base import presence

    presence.leave()


_ending = threading.Event()


@worker_shutting_down.connect
def _note_the_end(**_: object) -> None:
    _ending.set()


@worker_ready.connect
def _end_without_a_timetable(sender: Any, **_: object) -> None:
    """A worker whose beat was killed ends in order, and who started it starts it again.

    Celery would go on without, and no sweep would ever run again.
    """
    beat = sender.controller.beat
    if beat is not None:
        threading.Thread(target=_follow, args=(beat,), daemon=True).start()


def _follow(beat: Any) -> None:
    beat.join()
    if not _ending.is_set():
        log.error("beat_died", extra={"exit_code": getattr(beat, "exitcode", None)})
        os.kill(os.getpid(), signal.SIGTERM)
