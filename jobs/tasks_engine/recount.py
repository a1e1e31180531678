"""Recounting what must agree of tasks: for `manage.py fsck`."""

from __future__ import annotations

from django.db import connection

_LAST_EVENT = """
SELECT format('task %%s is %%s (event %%s), its last event says %%s (event %%s)',
  t.task_id, t.state, t.event_seq, coalesce(e.to_state, 'nothing'), coalesce(e.seq, 0))
FROM jobs_task t LEFT JOIN LATERAL (
  SELECT seq, to_state FROM jobs_taskevent WHERE task_id = t.task_id ORDER BY seq DESC LIMIT 1
) e ON true
WHERE t.state <> '' AND (e.to_state, e.seq) IS DISTINCT FROM (t.state, t.event_seq) LIMIT %s
"""
_PROGRESS = """
SELECT format('task %%s says %%s of %%s pieces and %%s of %%s files are done, found %%s of %%s and'
  ' %%s of %%s', t.task_id, t.pieces_done, t.pieces, t.inputs_done, t.inputs, c.done, c.pieces,
  c.files_done, i.files)
FROM jobs_task t CROSS JOIN LATERAL (
  SELECT count(*) AS pieces, count(*) FILTER (WHERE state = 'done') AS done,
    coalesce(sum(n_files) FILTER (WHERE state = 'done'), 0) AS files_done,
    coalesce(sum(n_events), 0) AS events
  FROM jobs_taskpiece WHERE task_id = t.task_id AND stage = 'work'
) c CROSS JOIN LATERAL (
  SELECT count(*) AS files FROM jobs_taskinput WHERE task_id = t.task_id AND stage = 'work'
) i
WHERE t.state <> '' AND (t.pieces, t.pieces_done, t.inputs_done, t.events_cut,
    t.inputs * (t.inputs_forgotten_at IS NULL)::int)
  IS DISTINCT FROM (c.pieces, c.done, c.files_done, c.events, i.files) LIMIT %s
"""
_FILES = """
SELECT format('piece %%s (%%s) of task %%s has %%s files, found %%s',
  p.serial, p.stage, p.task_id, p.n_files, count(i.id))
FROM jobs_taskpiece p JOIN jobs_task t USING (task_id)
  LEFT JOIN jobs_taskinput i ON i.piece_id = p.id
WHERE t.inputs_forgotten_at IS NULL
GROUP BY p.id HAVING count(i.id) <> p.n_files LIMIT %s
"""
# A piece is done by exactly the job that it names.
_DONE = """
SELECT format('piece %%s (%%s) of task %%s is done, its job %%s is %%s',
  p.serial, p.stage, p.task_id, p.panda_id, j.state)
FROM jobs_taskpiece p JOIN jobs_anyjob j ON j.panda_id = p.panda_id
WHERE p.state = 'done' AND j.state <> 'finished' LIMIT %s
"""


def differences(limit: int = 100) -> list[str]:
    """Where tasks differ from their history, their pieces, their files and their jobs, in words."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for sql in (_LAST_EVENT, _PROGRESS, _FILES, _DONE):
            cursor.execute(sql, [limit])
            found += [row[0] for row in cursor.fetchall()]
    return found
