"""Recount what must agree: states with events, counts with rows, files with datasets and states.

Each check is one SQL statement whose rows are the differences, so that a large installation can
afford it; `check` returns them in words, an empty list when all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from django.db import connection

from jobs import counts, ends, references, usage
from jobs.states import FINAL, MOVES, JobState
from jobs.tasks_engine import recount
from pandasite.base.snapshot import one_snapshot

LIMIT = 100  # differences shown per check

_LAST_EVENT = """
SELECT format('job %%s is %%s (event %%s), its last event says %%s (event %%s)',
  j.panda_id, j.state, j.event_seq, coalesce(e.to_state, 'nothing'), coalesce(e.seq, 0))
FROM jobs_anyjob j LEFT JOIN LATERAL (
  SELECT seq, to_state FROM jobs_anyjobevent
  WHERE job_id = j.panda_id AND shelf = j.shelf ORDER BY seq DESC LIMIT 1
) e ON true
WHERE e.to_state IS DISTINCT FROM j.state OR e.seq IS DISTINCT FROM j.event_seq LIMIT %s
"""
_CHAIN = """
SELECT format('job %%s: event %%s starts from %%s, the one before it ended in %%s',
  job_id, seq, from_state, before) FROM (
  SELECT job_id, seq, from_state,
    lag(to_state, 1, '') OVER w AS before, lag(seq, 1, 0) OVER w AS seq_before
  FROM jobs_anyjobevent WINDOW w AS (PARTITION BY job_id ORDER BY seq)
) chain WHERE from_state <> before OR seq <> seq_before + 1 LIMIT %s
"""
_ILLEGAL = """
SELECT format('job %%s: event %%s went from %%s to %%s', job_id, seq, from_state, to_state)
FROM jobs_anyjobevent WHERE from_state <> '' AND (from_state || '>' || to_state) <> ALL(%s) LIMIT %s
"""
_TWO_ENDS = """
SELECT format('job %%s has %%s final events', job_id, count(*)) FROM jobs_anyjobevent
WHERE to_state IN ('finished', 'failed', 'cancelled') GROUP BY job_id HAVING count(*) > 1 LIMIT %s
"""
_OUTPUTS = """
SELECT format('job %%s is finished, but %%s has no registered file', f.job_id, f.lfn)
FROM jobs_anyjobfile f JOIN jobs_anyjob j ON j.panda_id = f.job_id AND j.shelf = f.shelf
WHERE j.state = 'finished' AND f.type = 'output' AND (
  f.file_id IS NULL OR NOT EXISTS (SELECT 1 FROM datasets_replica r WHERE r.file_id = f.file_id)
  OR (f.dataset_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM datasets_datasetfile d
    WHERE d.file_id = f.file_id AND d.dataset_id = f.dataset_id))) LIMIT %s
"""
_PROMISES = """
SELECT format('job %%s is %%s, its output %%s is %%s', j.panda_id, j.state, f.lfn,
  CASE WHEN j.state = ANY(%s) THEN 'still ' || f.status ELSE f.status || ' already' END)
FROM jobs_anyjobfile f JOIN jobs_anyjob j ON j.panda_id = f.job_id AND j.shelf = f.shelf
WHERE f.type = 'output' AND (f.status IN ('pending', 'transferring')) = (j.state = ANY(%s)) LIMIT %s
"""
# What belongs to a job lies where the job lies: no constraint of the database says so.
_ORPHANS = """
SELECT format('{what} %%s is of job %%s, which does not exist', o.{key}, o.job_id)
FROM {table} o WHERE NOT EXISTS (
  SELECT 1 FROM jobs_anyjob j WHERE j.panda_id = o.job_id AND j.shelf = o.shelf) LIMIT %s
"""
_TWICE = """
SELECT format('job %%s is there %%s times', panda_id, count(*)) FROM jobs_anyjob
GROUP BY panda_id HAVING count(*) > 1 LIMIT %s
"""
_SUCCESSORS = """
SELECT format('job %%s has %%s successors', retry_of, count(*))
FROM jobs_anyjob WHERE retry_of IS NOT NULL GROUP BY retry_of HAVING count(*) > 1 LIMIT %s
"""

_UNSEEN = """
SELECT format('job %%s is activated, but its kind is not known at its site', j.panda_id)
FROM jobs_job j WHERE j.state = 'activated' AND NOT EXISTS (SELECT 1 FROM jobs_queuekind k
  WHERE k.site_id = j.computing_site_id AND k.requirement = jobs_requirement(j.prod_source_label,
    j.vo_id, j.processing_type, j.atlas_release, j.cmt_config, j.min_ram_count, j.max_disk_count,
    j.min_cpu_speed, j.core_count)) LIMIT %s
"""
_PULSE = """
SELECT format('job %%s is %%s at attempt %%s, its pulse says %%s at attempt %%s',
  coalesce(j.panda_id, p.job_id), coalesce(j.state, 'without a pilot'), j.attempt_nr,
  coalesce(p.state, 'nothing'), p.attempt_nr)
FROM (SELECT * FROM jobs_job WHERE state IN ('sent', 'starting', 'running')) j
FULL JOIN jobs_pulse p ON p.job_id = j.panda_id
WHERE (j.state, j.attempt_nr, j.computing_site_id, j.lease_sha256, j.start_time,
    j.command <> '' AND j.command_attempt = j.attempt_nr)
  IS DISTINCT FROM (p.state, p.attempt_nr, p.site_id, p.lease_sha256, p.start_time, p.commanded)
  OR p.due > p.lease_until LIMIT %s
"""
_FACTS = """
SELECT CASE WHEN f IS NULL THEN format('claims find no facts of site %%s', site_id)
  WHEN n IS NULL THEN format('claims find facts of site %%s, which does not exist', site_id)
  ELSE format('site %%s: the facts that claims find are not those of its tables in %%s', site_id,
    (SELECT string_agg(key, ', ' ORDER BY key) FROM jsonb_each(to_jsonb(f)) AS was (key, value)
      WHERE value IS DISTINCT FROM to_jsonb(n) -> key)) END
FROM jobs_sitefact f
FULL JOIN jobs_facts_of((SELECT array_agg(id) FROM brokerage_site)) n USING (site_id)
WHERE f IS DISTINCT FROM n ORDER BY site_id LIMIT %s
"""
_STEMS = """
SELECT format('search does not find names of %%ss that begin with %%L in the week of %%s',
  kind, stem, to_char(week AT TIME ZONE 'UTC', 'YYYY-MM-DD'))
FROM (
  SELECT DISTINCT 'job' AS kind, jobs_stem(job_name) AS stem, date_trunc('week', end_time, 'UTC')
  FROM jobs_endedjob
  UNION ALL
  SELECT DISTINCT 'file', jobs_stem(lfn), date_trunc('week', job_end, 'UTC') FROM jobs_endedjobfile
) name (kind, stem, week)
WHERE NOT EXISTS (
  SELECT 1 FROM jobs_weekstem s
  WHERE s.kind = name.kind AND s.week = name.week AND s.stem IN (name.stem, '')
) LIMIT %s
"""


def check(looks: Sequence[Callable[[], list[str]]] | None = None) -> list[str]:
    """Every difference that these looks (none given: all) find, in words.

    Each look is at one moment, and takes its time.
    """
    found: list[str] = []
    for look in CHECKS if looks is None else looks:
        with one_snapshot(statement_ms=0):
            found += look()
    return found


def _rows(sql: str, *values: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, LIMIT])
        return [row[0] for row in cursor.fetchall()]


def _illegal() -> list[str]:
    pairs = [f"{a}>{b}" for a in JobState for b in MOVES[a]]
    return _rows(_ILLEGAL, pairs)


def _orphans(what: str, key: str, table: str) -> list[str]:
    return _rows(_ORPHANS.format(what=what, key=key, table=table))


CHECKS: tuple[Callable[[], list[str]], ...] = (
    lambda: _rows(_LAST_EVENT),
    lambda: _rows(_CHAIN),
    _illegal,
    lambda: _rows(_TWO_ENDS),
    lambda: _rows(_OUTPUTS),
    lambda: _rows(_PROMISES, list(FINAL), list(FINAL)),
    partial(_orphans, "event", "id", "jobs_anyjobevent"),
    partial(_orphans, "file", "id", "jobs_anyjobfile"),
    partial(_orphans, "output", "job_id", "jobs_anyjoboutput"),
    lambda: _rows(_TWICE),
    lambda: _rows(_SUCCESSORS),
    lambda: _rows(_UNSEEN),
    lambda: _rows(_PULSE),
    lambda: _rows(_FACTS),
    lambda: _rows(_STEMS),
    counts.differences,
    lambda: ends.differences(LIMIT),
    usage.differences,
    lambda: recount.differences(LIMIT),
    lambda: references.differences(LIMIT),
)
COUNTS: tuple[Callable[[], list[str]], ...] = (counts.differences,)
