"""Lists of input of tasks that ended long ago: forgotten, so that their files may be deleted.

The list names each file that a task read, and keeps it in the catalogue. What was done stays
counted; but without the list nothing of the task can be tried again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from jobs.models import Task, TaskInput

TASKS = 200  # of a transaction
FILES = 100_000  # that those may have read; one task may have read more


def forget(now: dt.datetime, *, over: Callable[[], bool]) -> int:
    """Forget them a part at a time, while there is time; how many rows are gone."""
    before = now - dt.timedelta(days=settings.PANDASITE["TASK_INPUT_DAYS"])
    rows = 0
    while not over():
        gone = _forget_some(before, now)
        if not gone:
            break
        rows += gone
    return rows


def _forget_some(before: dt.datetime, now: dt.datetime) -> int:
    """A task is marked and its list goes in one transaction; somebody else's are left to him."""
    old = Task.objects.filter(
        Q(inputs__gt=0) | Q(merges__gt=0), ended_at__lt=before, inputs_forgotten_at=None
    )
    with transaction.atomic():
        held = old.order_by("ended_at").select_for_update(skip_locked=True, of=("self",))
        keys: list[int] = []
        files = 0
        for key, n, merged in held.values_list("pk", "inputs", "pieces_done")[:TASKS]:
            files += n + merged
            if keys and files > FILES:
                break
            keys.append(key)
        Task.objects.filter(pk__in=keys).update(inputs_forgotten_at=now)
        return len(keys) + TaskInput.objects.filter(task__in=keys).delete()[0]
