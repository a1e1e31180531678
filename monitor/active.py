"""How many tasks have jobs that have not ended, by cloud: counted once a minute, with its age.

Nothing keeps this number with the changes of jobs, and to count it takes a look at one job or more
of each task. So each web process counts it aside, and every page says of when it is.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections

from jobs.states import FINAL
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError
from pandasite.base.snapshot import one_snapshot

log = logging.getLogger(__name__)
SECONDS = 60  # between two counts

# From one task to the next by the index of jobs' tasks, and of each the first job that is live.
_COUNT = """
WITH RECURSIVE tasks AS (
  (SELECT task_id FROM jobs_job WHERE task_id IS NOT NULL ORDER BY task_id LIMIT 1)
  UNION ALL
  SELECT (SELECT j.task_id FROM jobs_job j WHERE j.task_id > tasks.task_id
          ORDER BY j.task_id LIMIT 1)
  FROM tasks WHERE tasks.task_id IS NOT NULL
)
SELECT coalesce(live.cloud_id, 0), count(*) FROM tasks
CROSS JOIN LATERAL (
  SELECT j.cloud_id FROM jobs_job j
  WHERE j.task_id = tasks.task_id AND NOT j.state = ANY(%s) LIMIT 1
) live
GROUP BY 1
"""


@dataclass(frozen=True, kw_only=True)
class ActiveTasks:
    """Tasks with live jobs by cloud (0 = none yet), each counted once, as of `at`."""

    by_cloud: dict[int, int]
    at: dt.datetime


_kept: ActiveTasks | None = None
_begun_at = 0.0
_at_it = False
_guard = threading.Lock()


def tasks(*, now: dt.datetime) -> ActiveTasks | None:
    """The latest count; None in the first moments of a process. Where pages are not kept: now's."""
    global _begun_at, _at_it
    if not settings.PANDASITE["DASHBOARD_SECONDS"]:
        return count(now)
    with _guard:
        if _at_it or (_begun_at and time.monotonic() - _begun_at < SECONDS):
            return _kept
        _at_it, _begun_at = True, time.monotonic()
    threading.Thread(target=_count_aside, name="active-tasks", daemon=True).start()
    return _kept


def count(now: dt.datetime) -> ActiveTasks:
    """Count them."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [sorted(FINAL)])
        return ActiveTasks(by_cloud=dict(cursor.fetchall()), at=now)


def _count_aside() -> None:
    global _kept, _at_it
    try:
        with one_snapshot():
            _kept = count(database_now())
    except (DatabaseError, InterfaceError, DomainError) as error:
        # The count that there is gets older, which the page shows.
        log.warning("active_tasks_not_counted", extra={"error": str(error)})
    finally:
        connections.close_all()
        _at_it = False
