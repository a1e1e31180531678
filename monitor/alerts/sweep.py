"""Looks at the tasks that alerts are about, and writes down what there is to tell, each once.

A round costs the tasks that somebody waits for: their sums are kept by other sweeps. Safe to run
twice and at once: the key of the news is the alert and the task.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db.models import Q

from jobs.models import Task
from jobs.tasks_engine.states import FINAL
from monitor.alerts import mail
from monitor.alerts.models import Alert, AlertNews
from monitor.alerts.rules import Standing, told
from monitor.production.tallies import of_tasks, whole
from pandasite.base.models import SweepRun

NEWEST = 20_000  # tasks of a bunch of people that are looked at
BUNCH = 200  # people in a statement
RECENT = dt.timedelta(days=90)  # older tasks are looked at for who names them
OVER = dt.timedelta(days=7)  # after which a task that the engine ended was told of
KEPT = dt.timedelta(days=60)
SUMS = ("jobs.tally_live", "jobs.sum_usage")  # in this order: a job is in one of them at least


def run(now: dt.datetime) -> int:
    """One round: how many things were told."""
    AlertNews.objects.filter(at__lt=now - KEPT).delete()
    n = 0
    if complete():
        owners = list(Alert.objects.order_by("owner").values_list("owner", flat=True).distinct())
        for begin in range(0, len(owners), BUNCH):
            n += _tell(owners[begin : begin + BUNCH], now)
    mail.send(now=now)
    return n


def complete() -> bool:
    """Whether ended jobs were added up after live ones were counted: else one that ended in
    between is in neither sum, and its task seems to be over."""
    runs = {run.name: run for run in SweepRun.objects.filter(name__in=SUMS)}
    live, ended = (runs.get(name) for name in SUMS)
    if live is None or ended is None or not ended.ok or live.last_ok_at is None:
        return False
    return ended.started_at is not None and ended.started_at >= live.last_ok_at


def _tell(owners: Iterable[int], now: dt.datetime) -> int:
    alerts: dict[int, list[Alert]] = defaultdict(list)
    for alert in Alert.objects.filter(owner__in=owners).select_related("owner"):
        alerts[alert.owner_id].append(alert)
    said = set(AlertNews.objects.filter(alert__owner__in=owners).values_list("alert_id", "task_id"))
    tasks = _tasks([alert for mine in alerts.values() for alert in mine], now)
    standings = _standings(tasks, now)
    news = [
        AlertNews(
            alert=alert,
            task_id=task.pk,
            text=text[:255],
            at=now,
            mail_at=now if alert.mail and alert.owner.email else None,
        )
        for alert, task in _pairs(alerts, tasks)
        if (alert.pk, task.pk) not in said
        if (text := told(alert, standings[task.pk], now=now))
    ]
    AlertNews.objects.bulk_create(news, ignore_conflicts=True)
    return len(news)


def _tasks(alerts: Sequence[Alert], now: dt.datetime) -> list[Task]:
    """What the alerts may be about: recent tasks of their owners, and those that they name."""
    owners = {alert.owner_id for alert in alerts if not alert.task_id}
    named = {alert.task_id for alert in alerts if alert.task_id}
    recent = Q(owner__in=owners, created_at__gte=now - RECENT)
    long_over = Q(state__in=FINAL, state_changed_at__lt=now - OVER)
    wanted = Task.objects.filter(recent | Q(pk__in=named)).exclude(long_over)
    needed = wanted.only("owner", "created_at", "state", "state_changed_at")
    return list(needed.order_by("-pk")[:NEWEST])


def _pairs(alerts: Mapping[int, list[Alert]], tasks: list[Task]) -> Iterator[tuple[Alert, Task]]:
    """Each alert with each task that it is about."""
    about: dict[int, list[Alert]] = defaultdict(list)
    for mine in alerts.values():
        for alert in mine:
            about[alert.task_id].append(alert)
    for task in tasks:
        for alert in about[task.pk]:
            yield alert, task
        for alert in alerts.get(task.owner_id, ()):
            if not alert.task_id:
                yield alert, task


def _standings(tasks: Iterable[Task], now: dt.datetime) -> dict[int, Standing]:
    wanted = {task.pk: task for task in tasks}
    tallies = of_tasks(wanted, now=now) if wanted else {}
    found = {}
    for task_id, task in wanted.items():
        tally = whole(tallies.get(task_id, {}), made_at=task.created_at, now=now)
        times = (task.created_at, task.state_changed_at, tally.latest)
        found[task_id] = Standing(
            task_id=task_id,
            state=task.state or tally.state,
            finished=tally.finished,
            failed=tally.failed,
            waiting=tally.waiting,
            changed=max(at for at in times if at),
        )
    return found
