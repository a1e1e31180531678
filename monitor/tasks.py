"""Celery handles of the monitor's sweeps: the work is in the modules and runs without Celery."""

from __future__ import annotations

from celery import shared_task

from monitor import tally
from pandasite.base.sweeps import run_sweep


@shared_task(name="monitor.count_facets")
def count_facets() -> int:
    return run_sweep("monitor.count_facets", tally.run)
