"""The kinds of jobs that queue at a site: what the trigger enters and nobody else takes out."""

from __future__ import annotations

from django.db import connection, transaction

# In the same transaction that activates a job, its kind is entered. So while no such transaction
# is open (the lock waits for them, and keeps new ones waiting) a kind without a job has none.
_CLEAR = """
DELETE FROM jobs_queuekind k WHERE NOT EXISTS (
  SELECT 1 FROM jobs_job j
  WHERE j.state = 'activated' AND j.computing_site_id = k.site_id
    AND jobs_requirement(j.prod_source_label, j.vo_id, j.processing_type, j.atlas_release,
      j.cmt_config, j.min_ram_count, j.max_disk_count, j.min_cpu_speed, j.core_count)
      = k.requirement)
"""


def forget_kinds() -> int:
    """Clear the kinds that no activated job has any more; returns how many they were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE jobs_queuekind IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(_CLEAR)
        return int(cursor.rowcount)
