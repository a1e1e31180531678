"""Celery handles of the monitor's sweeps: the work is in the modules and runs without Celery."""

from __future__ import annotations

from celery import shared_task

from monitor.plots import rollup
from pandasite.base.sweeps import run_sweep


@shared_task(name="monitor.roll_up")
def roll_up() -> int:
    return run_sweep("monitor.roll_up", rollup.run)
