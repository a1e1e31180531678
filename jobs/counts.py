"""How many jobs are in which state: the one place that the monitor and brokerage read.

A trigger writes a delta (+1, -1, or +n for n births) in the transaction of each change of a job's
state, site, cloud or label. Nobody waits for a shared counter, since deltas are only inserted;
`fold` adds them up. A reader sums both tables in one statement, so what it sees is exact at every
moment. The trigger, not the services, writes them: the admin and the shell are counted too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from pandasite.base.clock import full_hour

_KEY = "cloud_id, site_id, label, state, hour, payload_error"
_KEY_OF_ENDED = "cloud_id, site_id, label, state, payload_error"

HOURS_KEPT = 31 * 24  # more than any page shows: older hours are merged into one
HANDED_OUT = "job"  # the outcome of a claim that counts jobs; all others are answers without
_LONG_AGO = "1970-01-02 00:00+00"  # the hour of those; the epoch itself stands for live jobs

# Births come by the thousand: one delta for all of a statement that count alike. (A transition
# table cannot be had for some columns only, and heartbeats are updates: those stay with the rows.)
COUNT_BIRTHS = (
    """
CREATE FUNCTION jobs_job_count_births() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
  SELECT coalesce(cloud_id, 0), coalesce(computing_site_id, 0), prod_source_label, state,
    coalesce(date_trunc('hour', end_time, 'UTC'), 'epoch'),
    state = 'failed' AND (exe_error_code <> 0 OR trans_error_code <> 0),
    count(*), max(state_change_time)
  FROM born GROUP BY 1, 2, 3, 4, 5, 6;
  RETURN NULL;
END $$;
DROP TRIGGER jobs_job_count_insert_delete ON jobs_job;
CREATE TRIGGER jobs_job_count_delete AFTER DELETE ON jobs_job
  FOR EACH ROW EXECUTE FUNCTION jobs_job_count();
CREATE TRIGGER jobs_job_count_insert AFTER INSERT ON jobs_job
  REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION jobs_job_count_births();
""",
    """
DROP TRIGGER jobs_job_count_insert ON jobs_job;
DROP TRIGGER jobs_job_count_delete ON jobs_job;
DROP FUNCTION jobs_job_count_births();
CREATE TRIGGER jobs_job_count_insert_delete AFTER INSERT OR DELETE ON jobs_job
  FOR EACH ROW EXECUTE FUNCTION jobs_job_count();
""",
)

_FOLD = f"""
WITH taken AS (DELETE FROM jobs_countdelta RETURNING *),
summed AS (
  SELECT {_KEY}, sum(n) AS n, max(latest) AS latest FROM taken GROUP BY {_KEY} ORDER BY {_KEY}
), ended AS (
  INSERT INTO jobs_endedtotal ({_KEY_OF_ENDED}, n)
  SELECT {_KEY_OF_ENDED}, sum(n) FROM summed WHERE hour > 'epoch'
  GROUP BY {_KEY_OF_ENDED} ORDER BY {_KEY_OF_ENDED}
  ON CONFLICT ({_KEY_OF_ENDED}) DO UPDATE SET n = jobs_endedtotal.n + excluded.n
)
INSERT INTO jobs_jobcount ({_KEY}, n, latest) SELECT {_KEY}, n, latest FROM summed
ON CONFLICT ({_KEY}) DO UPDATE
  SET n = jobs_jobcount.n + excluded.n, latest = greatest(jobs_jobcount.latest, excluded.latest)
"""

_FOLD_ANSWERS = """
WITH taken AS (DELETE FROM jobs_answerdelta RETURNING *),
summed AS (
  SELECT hour, site_id, outcome, sum(n) AS n FROM taken GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
)
INSERT INTO jobs_answercount (hour, site_id, outcome, n)
SELECT hour, site_id, outcome, n FROM summed
ON CONFLICT (hour, site_id, outcome) DO UPDATE SET n = jobs_answercount.n + excluded.n
"""

_ANSWERS = """
SELECT site_id, outcome, sum(n) FROM (
  SELECT hour, site_id, outcome, n FROM jobs_answercount
  UNION ALL SELECT hour, site_id, outcome, n FROM jobs_answerdelta
) both_tables WHERE hour >= date_trunc('hour', %(since)s::timestamptz, 'UTC') GROUP BY 1, 2
"""

_ANSWERS_BY_HOUR = """
SELECT hour, site_id, outcome, sum(n) FROM (
  SELECT hour, site_id, outcome, n FROM jobs_answercount
  UNION ALL SELECT hour, site_id, outcome, n FROM jobs_answerdelta
) both_tables WHERE hour >= date_trunc('hour', %(since)s::timestamptz, 'UTC')
  AND (%(site)s IS NULL OR site_id = %(site)s) GROUP BY 1, 2, 3 ORDER BY 1
"""

_MERGE = f"""
WITH old AS (
  DELETE FROM jobs_jobcount WHERE hour > '{_LONG_AGO}' AND hour < %(before)s RETURNING *
), summed AS (
  SELECT cloud_id, site_id, label, state, payload_error, sum(n) AS n, max(latest) AS latest
  FROM old GROUP BY cloud_id, site_id, label, state, payload_error
), merged AS (
  INSERT INTO jobs_jobcount (cloud_id, site_id, label, state, payload_error, n, latest, hour)
  SELECT *, '{_LONG_AGO}'::timestamptz FROM summed WHERE n <> 0
  ON CONFLICT ({_KEY}) DO UPDATE
    SET n = jobs_jobcount.n + excluded.n, latest = greatest(jobs_jobcount.latest, excluded.latest)
)
SELECT count(*) FROM old
"""

_FORGET_ANSWERS = "DELETE FROM jobs_answercount WHERE hour < %(before)s"

_READ = f"""
SELECT cloud_id, site_id, label, state, payload_error, sum(n), max(latest) FROM (
  SELECT {_KEY}, n, latest FROM jobs_jobcount
  UNION ALL SELECT {_KEY}, n, latest FROM jobs_countdelta
) both_tables
WHERE (hour = 'epoch' OR hour >= %(since)s)
  AND (%(labels)s::text[] IS NULL OR label = ANY(%(labels)s))
GROUP BY cloud_id, site_id, label, state, payload_error HAVING sum(n) <> 0
"""

# One statement, and so one moment, whatever goes on meanwhile and whoever asks.
_DIFFERENCES = """
WITH kept AS (
  SELECT cloud_id, site_id, label, state, sum(n) AS n FROM (
    SELECT cloud_id, site_id, label, state, n FROM jobs_jobcount
    UNION ALL SELECT cloud_id, site_id, label, state, n FROM jobs_countdelta
  ) both_tables GROUP BY 1, 2, 3, 4
), found AS (
  SELECT coalesce(cloud_id, 0) AS cloud_id, coalesce(computing_site_id, 0) AS site_id,
    prod_source_label AS label, state, count(*) AS n FROM jobs_anyjob GROUP BY 1, 2, 3, 4
)
SELECT format('cloud %s site %s %s %s: counted %s, found %s',
  cloud_id, site_id, label, state, coalesce(kept.n, 0), coalesce(found.n, 0))
FROM kept FULL JOIN found USING (cloud_id, site_id, label, state)
WHERE coalesce(kept.n, 0) <> coalesce(found.n, 0) ORDER BY cloud_id, site_id, label, state
"""
_TOTAL_DIFFERENCES = f"""
WITH hours AS (
  SELECT {_KEY_OF_ENDED}, sum(n) AS n FROM jobs_jobcount WHERE hour > 'epoch' GROUP BY 1, 2, 3, 4, 5
)
SELECT format('cloud %s site %s %s %s: %s in all, %s by the hour',
  cloud_id, site_id, label, state, coalesce(total.n, 0), coalesce(hours.n, 0))
FROM jobs_endedtotal total FULL JOIN hours USING ({_KEY_OF_ENDED})
WHERE coalesce(total.n, 0) <> coalesce(hours.n, 0) ORDER BY {_KEY_OF_ENDED}
"""


@dataclass(frozen=True, kw_only=True)
class Count:
    """`n` jobs of one cloud, site (0 = none), label and state; `latest` state change or None."""

    cloud_id: int
    site_id: int
    label: str
    state: str
    payload_error: bool
    n: int
    latest: dt.datetime | None


def read(*, ended_since: dt.datetime, labels: Iterable[str] | None = None) -> list[Count]:
    """Live jobs, and those that ended since the full hour of `ended_since`, in one snapshot."""
    since = full_hour(ended_since)
    chosen = None if labels is None else list(labels)
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"since": since, "labels": chosen})
        return [
            Count(
                cloud_id=row[0],
                site_id=row[1],
                label=row[2],
                state=row[3],
                payload_error=row[4],
                n=int(row[5]),
                latest=row[6],
            )
            for row in cursor.fetchall()
        ]


def fold() -> int:
    """Add the deltas up into JobCount and AnswerCount; returns how many keys of jobs changed.

    Safe at any time, also twice at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLD_ANSWERS)
        cursor.execute(_FOLD)
        return cursor.rowcount


def answers(*, since: dt.datetime) -> dict[tuple[int, str], int]:
    """How often claims were answered since the full hour of `since`, by (site, outcome).

    HANDED_OUT counts the jobs handed out; the other outcomes are the reasons why there was none.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS, {"since": since})
        return {(site_id, outcome): int(n) for site_id, outcome, n in cursor.fetchall()}


def answers_by_hour(
    *, since: dt.datetime, site: int | None = None
) -> list[tuple[dt.datetime, int, str, int]]:
    """(hour, site, outcome, n) since the full hour of `since`, in the order of the hours."""
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS_BY_HOUR, {"since": since, "site": site})
        return [(hour, key, outcome, int(n)) for hour, key, outcome, n in cursor.fetchall()]


def merge_old(now: dt.datetime) -> int:
    """Merge the hours that no page shows into one; returns how many rows they were.

    They are not deleted, so that `differences` can still be asked of all jobs. A job of such an
    hour that is deleted later counts -1 there, until the next merge.
    """
    with connection.cursor() as cursor:
        before = {"before": now - dt.timedelta(hours=HOURS_KEPT)}
        cursor.execute(_FORGET_ANSWERS, before)
        cursor.execute(_MERGE, before)
        return int(cursor.fetchone()[0])


def differences() -> list[str]:
    """Where the counts differ from the jobs, live and ended, in words; empty when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES)
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute(_TOTAL_DIFFERENCES)
        return found + [row[0] for row in cursor.fetchall()]
