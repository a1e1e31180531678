"""Recount what must agree: states with events, counts with rows, files with datasets and states.

Each check is one SQL statement whose rows are the differences, so that a large installation can
afford it; `check` returns them in words, an empty list when all is well.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection

from jobs import counts
from jobs.states import FINAL, MOVES, JobState

LIMIT = 100  # differences shown per check

_LAST_EVENT = """
SELECT format('job %%s is %%s (event %%s), its last event says %%s (event %%s)',
  j.panda_id, j.state, j.event_seq, coalesce(e.to_state, 'nothing'), coalesce(e.seq, 0))
FROM jobs_job j LEFT JOIN LATERAL (
  SELECT seq, to_state FROM jobs_jobevent WHERE job_id = j.panda_id ORDER BY seq DESC LIMIT 1
) e ON true
WHERE e.to_state IS DISTINCT FROM j.state OR e.seq IS DISTINCT FROM j.event_seq LIMIT %s
"""
_CHAIN = """
SELECT format('job %%s: event %%s starts from %%s, the one before it ended in %%s',
  job_id, seq, from_state, before) FROM (
  SELECT job_id, seq, from_state,
    lag(to_state, 1, '') OVER w AS before, lag(seq, 1, 0) OVER w AS seq_before
  FROM jobs_jobevent WINDOW w AS (PARTITION BY job_id ORDER BY seq)
) chain WHERE from_state <> before OR seq <> seq_before + 1 LIMIT %s
"""
_ILLEGAL = """
SELECT format('job %%s: event %%s went from %%s to %%s', job_id, seq, from_state, to_state)
FROM jobs_jobevent WHERE from_state <> '' AND (from_state || '>' || to_state) <> ALL(%s) LIMIT %s
"""
_TWO_ENDS = """
SELECT format('job %%s has %%s final events', job_id, count(*)) FROM jobs_jobevent
WHERE to_state IN ('finished', 'failed', 'cancelled') GROUP BY job_id HAVING count(*) > 1 LIMIT %s
"""
_OUTPUTS = """
SELECT format('job %%s is finished, but %%s has no registered file', f.job_id, f.lfn)
FROM jobs_jobfile f JOIN jobs_job j ON j.panda_id = f.job_id
WHERE j.state = 'finished' AND f.type = 'output' AND (
  f.file_id IS NULL OR NOT EXISTS (SELECT 1 FROM datasets_replica r WHERE r.file_id = f.file_id)
  OR (f.dataset_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM datasets_datasetfile d
    WHERE d.file_id = f.file_id AND d.dataset_id = f.dataset_id))) LIMIT %s
"""
_PROMISES = """
SELECT format('job %%s is %%s, its output %%s is %%s', j.panda_id, j.state, f.lfn,
  CASE WHEN j.state = ANY(%s) THEN 'still ' || f.status ELSE f.status || ' already' END)
FROM jobs_jobfile f JOIN jobs_job j ON j.panda_id = f.job_id
WHERE f.type = 'output' AND (f.status IN ('pending', 'transferring')) = (j.state = ANY(%s)) LIMIT %s
"""
_ORPHANS = """
SELECT format('event %%s is of job %%s, which does not exist', e.id, e.job_id)
FROM jobs_jobevent e WHERE NOT EXISTS (SELECT 1 FROM jobs_job j WHERE j.panda_id = e.job_id)
LIMIT %s
"""

_UNSEEN = """
SELECT format('job %%s is activated, but its kind is not known at its site', j.panda_id)
FROM jobs_job j WHERE j.state = 'activated' AND NOT EXISTS (SELECT 1 FROM jobs_queuekind k
  WHERE k.site_id = j.computing_site_id AND k.requirement = jobs_requirement(j.prod_source_label,
    j.vo_id, j.processing_type, j.atlas_release, j.cmt_config, j.min_ram_count, j.max_disk_count,
    j.min_cpu_speed, j.core_count)) LIMIT %s
"""


def check() -> list[str]:
    """Every difference that was found, in words."""
    return [line for look in CHECKS for line in look()]


def _rows(sql: str, *values: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, LIMIT])
        return [row[0] for row in cursor.fetchall()]


def _illegal() -> list[str]:
    pairs = [f"{a}>{b}" for a in JobState for b in MOVES[a]]
    return _rows(_ILLEGAL, pairs)


CHECKS: tuple[Callable[[], list[str]], ...] = (
    lambda: _rows(_LAST_EVENT),
    lambda: _rows(_CHAIN),
    _illegal,
    lambda: _rows(_TWO_ENDS),
    lambda: _rows(_OUTPUTS),
    lambda: _rows(_PROMISES, list(FINAL), list(FINAL)),
    lambda: _rows(_ORPHANS),
    lambda: _rows(_UNSEEN),
    counts.differences,
)
