"""The end of aborted tasks whose jobs are defined in prodDB: what they made is aborted too.

The engine does the same for its own tasks (jobs/tasks_engine/ending.py).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from django.db import connection
from django.db.models import Count

from datasets import services as data
from datasets.models import Dataset, DatasetFile
from datasets.states import DatasetState
from jobs.models import BambooJob, BambooTask, JobFile
from jobs.states import LIVE

PAGE = 5000  # jobs of a statement
WHY = "was aborted in the production database"

# By dataset: files that these jobs have made. Jobs are few, and asked for by their keys.
_MADE = """
SELECT f.dataset_id, count(f.file_id) FROM jobs_anyjobfile f
WHERE f.type = 'output' AND f.job_id = ANY(%s) AND f.dataset_id IS NOT NULL GROUP BY 1
"""


def abort_outputs(tasks: Sequence[BambooTask], *, now: dt.datetime) -> int:
    """Abort the datasets of these tasks, unless others have made, or make, a part of them."""
    aborted = 0
    for task in tasks:
        made = _made_by(task)
        keys = [key for key, n in _members(made).items() if n <= made[key]]
        reason = f"task {task.task_id} {WHY}"
        aborted += data.abort_datasets(keys, reason=reason, now=now)
    return aborted


def _made_by(task: BambooTask) -> Counter[int]:
    """By dataset that its jobs write into: how many files they made."""
    mine: Counter[int] = Counter()
    numbers = BambooJob.objects.filter(request=task).values_list("panda_id", flat=True)
    ids = sorted(numbers)
    with connection.cursor() as cursor:
        for start in range(0, len(ids), PAGE):
            cursor.execute(_MADE, [ids[start : start + PAGE]])
            for key, n in cursor.fetchall():
                mine[key] += n
    live = JobFile.objects.filter(dataset__in=mine, type="output", job__state__in=LIVE)
    for key in live.exclude(job__task=task.task_id).values_list("dataset", flat=True).distinct():
        del mine[key]
    return mine


def _members(keys: Counter[int]) -> dict[int, int]:
    """By dataset that is not erased: how many files are in it."""
    rows = DatasetFile.objects.filter(dataset__in=keys)
    found = dict(rows.values_list("dataset").annotate(n=Count("pk")).order_by())
    erased = Dataset.objects.filter(pk__in=keys, state=DatasetState.ERASED)
    gone = set(erased.values_list("pk", flat=True))
    return {key: found.get(key, 0) for key in keys if key not in gone}
