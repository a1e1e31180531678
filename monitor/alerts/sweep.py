"""Looks at the tasks that alerts are about, and writes down what there is to tell, each once.

A round costs the tasks that somebody waits for: their sums are kept by other sweeps. Safe to run
twice and at once: the key of the news is the alert and the task.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from django.db.models import Q

from jobs.models import Task
from monitor.alerts import mail
from monitor.alerts.models import Alert, AlertNews
from monitor.alerts.rules import Standing, told
from monitor.production.tallies import of_tasks, whole
from pandasite.base.models import SweepRun

NEWEST = 500  # tasks of one person that are looked at
BUNCH = 200  # people in a statement
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
    tasks = {owner: _tasks(mine) for owner, mine in alerts.items()}
    standings = _standings([task for mine in tasks.values() for task in mine.values()], now)
    news = [
        AlertNews(
            alert=alert,
            task_id=task_id,
            text=text[:255],
            at=now,
            mail_at=now if alert.mail and alert.owner.email else None,
        )
        for owner, mine in alerts.items()
        for alert in mine
        for task_id in _of(alert, tasks[owner])
        if (alert.pk, task_id) not in said
        if (text := told(alert, standings[task_id], now=now))
    ]
    AlertNews.objects.bulk_create(news, ignore_conflicts=True)
    return len(news)


def _tasks(alerts: list[Alert]) -> dict[int, Task]:
    """What somebody's alerts may be about: his newest tasks, and those that he names."""
    named = [alert.task_id for alert in alerts if alert.task_id]
    owner = alerts[0].owner_id
    mine = Q(pk__in=named)
    if len(named) < len(alerts):
        newest = Task.objects.filter(owner=owner).order_by("-pk").values_list("pk", flat=True)
        mine |= Q(pk__in=list(newest[:NEWEST]))
    return {task.pk: task for task in Task.objects.filter(mine)}


def _of(alert: Alert, tasks: Mapping[int, Task]) -> Iterator[int]:
    for task_id, task in tasks.items():
        if alert.task_id == task_id or (not alert.task_id and task.owner_id == alert.owner_id):
            yield task_id


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
