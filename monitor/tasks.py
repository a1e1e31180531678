"""Celery handles of the monitor's sweeps: the work is in the modules and runs without Celery."""

from __future__ import annotations

from celery import shared_task

from monitor import tally as facets
from monitor.alerts import sweep as alerts
from monitor.data import tally as physics
from monitor.logger import retention
from monitor.plots import rollup
from pandasite.base.sweeps import run_sweep


@shared_task(name="monitor.count_facets")
def count_facets() -> int:
    return run_sweep("monitor.count_facets", facets.run)


@shared_task(name="monitor.forget_events")
def forget_events() -> int:
    return run_sweep("monitor.forget_events", retention.run)


@shared_task(name="monitor.sum_physics")
def sum_physics() -> int:
    return run_sweep("monitor.sum_physics", physics.run)


@shared_task(name="monitor.roll_up")
def roll_up() -> int:
    return run_sweep("monitor.roll_up", rollup.run)


@shared_task(name="monitor.alerts")
def tell_alerts() -> int:
    return run_sweep("monitor.alerts", alerts.run)
