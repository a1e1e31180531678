"""Celery handles of the sweeps: the work is in the modules and runs without Celery."""

from __future__ import annotations

from celery import shared_task
from celery.signals import beat_embedded_init, beat_init

from jobs import activate as activation
from jobs import archive as archiving
from jobs import arrival, closing, counts, ends, expiry, mover, nodes, tally, usage
from jobs import assign as assignment
from jobs import bamboo as proddb_cycle
from jobs import register as registration
from jobs import wake as waking
from jobs import watch as watchdog
from jobs.bamboo import timetable
from jobs.shares import act as sharing
from jobs.tasks_engine import engine
from pandasite.base.sweeps import run_sweep


@shared_task(name="jobs.wake")
def wake() -> int:
    return run_sweep("jobs.wake", waking.run)


@shared_task(name="jobs.assign")
def assign() -> int:
    return run_sweep("jobs.assign", assignment.run)


@shared_task(name="jobs.activate")
def activate() -> int:
    return run_sweep("jobs.activate", activation.run)


@shared_task(name="jobs.register")
def register() -> int:
    return run_sweep("jobs.register", registration.run)


@shared_task(name="jobs.complete_transfers")
def complete_transfers() -> int:
    return run_sweep("jobs.complete_transfers", arrival.run)


@shared_task(name="jobs.tasks")
def tasks() -> int:
    return run_sweep("jobs.tasks", engine.run)


@shared_task(name="jobs.watch")
def watch() -> int:
    return run_sweep(watchdog.SWEEP, watchdog.run)


@shared_task(name="jobs.fold_counts")
def fold_counts() -> int:
    return run_sweep("jobs.fold_counts", lambda now: counts.fold() + ends.fold(now))


@shared_task(name="jobs.archive")
def archive() -> int:
    return run_sweep("jobs.archive", archiving.run)


@shared_task(name="jobs.count_pilots")
def count_pilots() -> int:
    return run_sweep("jobs.count_pilots", nodes.count_pilots)


@shared_task(name="jobs.sum_usage")
def sum_usage() -> int:
    return run_sweep("jobs.sum_usage", usage.run)


@shared_task(name="jobs.tally_live")
def tally_live() -> int:
    return run_sweep("jobs.tally_live", tally.run)


@shared_task(name="jobs.close_datasets")
def close_datasets() -> int:
    return run_sweep("jobs.close_datasets", closing.close_datasets)


@shared_task(name="jobs.housekeep")
def housekeep() -> int:
    return run_sweep("jobs.housekeep", closing.housekeep)


@shared_task(name="jobs.move")
def move() -> int:
    return run_sweep("jobs.move", mover.run)


@shared_task(name="jobs.erase_expired")
def erase_expired() -> int:
    return run_sweep("jobs.erase_expired", expiry.run)


@shared_task(name="jobs.shares")
def shares() -> int:
    return run_sweep("jobs.shares", sharing.run)


@shared_task(name=proddb_cycle.NAME, time_limit=300)
def bamboo() -> int:
    return run_sweep(proddb_cycle.NAME, proddb_cycle.run)


@beat_init.connect
@beat_embedded_init.connect
def _plan_bamboo(**_: object) -> None:
    timetable.plan()
