"""Rows that name a job by its PandaID, which no constraint of the database holds: for `fsck`.

A job moves to the archive, and its week may be dropped from there (jobs/retention.py); a constraint
would have to look into both. So they are recounted here.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from jobs.retention import DROPPED

# The highest PandaID that may be gone with a week that was dropped: whatever was born after the
# latest drop is there. 0 when nothing was ever dropped.
_GONE = """
SELECT coalesce((SELECT coalesce((SELECT min(panda_id) FROM jobs_anyjob WHERE creation_time > d.at),
  9223372036854775807) FROM (SELECT max(at) AS at FROM base_auditline WHERE action = %s) d
  WHERE d.at IS NOT NULL), 0)
"""
_DANGLING = """
SELECT DISTINCT format('{what} %%s names job %%s, which does not exist', key, panda_id)
FROM (SELECT {key} AS key, {column} AS panda_id FROM {table}) named
WHERE panda_id > %s AND NOT EXISTS (SELECT FROM jobs_anyjob j WHERE j.panda_id = named.panda_id)
LIMIT %s
"""
_NAMES = """
SELECT CASE WHEN j IS NULL THEN format('job %%s has a name for quick search, and is not live',
    job_id)
  ELSE format('job %%s is called %%s, for quick search %%s', j.panda_id, j.job_name,
    coalesce(n.name, 'nothing')) END
FROM jobs_job j FULL JOIN jobs_jobname n ON n.job_id = j.panda_id
WHERE j.job_name IS DISTINCT FROM n.name LIMIT %s
"""


@dataclass(frozen=True)
class Reference:
    """Where PandaIDs stand, and how a row there is called."""

    what: str
    table: str
    column: str = "panda_id"
    key: str = "id"


REFERENCES = (
    Reference("the successor", "jobs_anyjob", "retry_of", "panda_id"),
    Reference("the piece", "jobs_taskpiece"),
    Reference("the definition", "jobs_bamboojob", key="definition_id"),
    Reference("the move", "jobs_move"),
    Reference("the key of a claim", "jobs_claimkey", "unnest(panda_ids)", "key"),
    Reference(
        "the key of a submission",
        "jobs_submitkey",
        "jsonb_array_elements_text(panda_ids)::bigint",
        "key",
    ),
    Reference("the kept lease of attempt", "jobs_keptlease", key="attempt_nr"),
    Reference("the debug mode of", "jobs_debugmode", key="set_by"),
    Reference("the lift to", "jobs_prioritylift", "job_id", "given"),
    Reference("the sample of attempt", "jobs_sample", "job_id", "attempt_nr"),
)


def differences(limit: int = 100) -> list[str]:
    """Rows that name a job that is not there, though its week was not dropped; in words."""
    with connection.cursor() as cursor:
        cursor.execute(_GONE, [DROPPED])
        [gone] = cursor.fetchone()
        found: list[str] = []
        for one in REFERENCES:
            cursor.execute(_DANGLING.format(**vars(one)), [gone, limit])
            found += [row[0] for row in cursor.fetchall()]
        cursor.execute(_NAMES, [limit])
        return found + [row[0] for row in cursor.fetchall()]
