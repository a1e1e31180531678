"""The statements of rollup.py.

GROUPING SETS gives the three levels of places at once; a group whose cloud or site is not known
counts in the levels above it alone. Every statement may come twice: the second changes nothing.
"""

from __future__ import annotations

from monitor.plots.buckets import BINS, EDGES, ORIGIN
from monitor.plots.models import EndedRoll, LiveRoll

_ORIGIN = f"'{ORIGIN:%Y-%m-%d} 00:00+00'::timestamptz"
_EDGES = f"ARRAY[{', '.join(map(str, EDGES))}]::float8[]"
_PLACE = "coalesce(cloud_id, 0), coalesce(site_id, 0)"
# Of GROUPING SETS over cloud_id and site_id: the whole, and the groups that have a name.
_KNOWN = "(GROUPING(cloud_id, site_id) = 3 OR cloud_id IS NOT NULL OR site_id IS NOT NULL)"
_LIVE = ", ".join(LiveRoll.STATES)
_SUMS = ", ".join(EndedRoll.SUMS)

# The first half ends it at once where somebody has looked already.
SAMPLE = f"""
WITH counted AS (
  SELECT nullif(cloud_id, 0) AS cloud_id, nullif(site_id, 0) AS site_id, state, sum(n) AS n FROM (
    SELECT cloud_id, site_id, state, n FROM jobs_jobcount WHERE hour = 'epoch'
    UNION ALL SELECT cloud_id, site_id, state, n FROM jobs_countdelta WHERE hour = 'epoch'
  ) both_tables
  WHERE NOT EXISTS (SELECT 1 FROM monitor_liveroll
    WHERE cloud_id = 0 AND site_id = 0 AND span = %(span)s AND start = %(start)s)
  GROUP BY 1, 2, 3
)
INSERT INTO monitor_liveroll (span, start, cloud_id, site_id, samples, {_LIVE})
SELECT %(span)s, %(start)s, {_PLACE}, 1,
  {", ".join(f"coalesce(sum(n) FILTER (WHERE state = '{s}'), 0)" for s in LiveRoll.STATES)}
FROM counted GROUP BY GROUPING SETS ((), (cloud_id), (site_id))
HAVING {_KNOWN} AND (GROUPING(cloud_id, site_id) = 3 OR sum(n) <> 0)
ON CONFLICT DO NOTHING
"""

MISSING = """
SELECT start FROM generate_series(%(since)s::timestamptz,
  %(until)s::timestamptz - interval '1 hour', interval '1 hour') start
WHERE NOT EXISTS (SELECT 1 FROM monitor_endedroll r
  WHERE r.cloud_id = 0 AND r.site_id = 0 AND r.span = %(span)s AND r.start = start.start)
ORDER BY start DESC
"""

_ENDED = """
  SELECT panda_id, shelf, cloud_id, computing_site_id AS site_id, state, creation_time, start_time,
    end_time, cpu_consumption_time AS cpu, greatest(core_count, 1) AS cores,
    exe_error_code <> 0 OR trans_error_code <> 0 AS by_payload,
    coalesce(extract(epoch FROM greatest(end_time - start_time, interval '0')), 0) AS wall
  FROM jobs_anyjob
  WHERE state IN ('finished', 'failed', 'cancelled')
    AND end_time >= %(start)s AND end_time < %(stop)s
"""
_JOBS = """
  SELECT cloud_id, site_id,
    count(*) FILTER (WHERE state = 'finished') AS finished,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
    count(*) FILTER (WHERE state = 'failed' AND by_payload) AS payload_failed,
    sum(wall) AS wall_seconds, sum(wall * cores) AS core_seconds,
    sum(cpu) FILTER (WHERE wall > 0) AS cpu_seconds,
    0 AS handed, 0 AS calls, 0 AS moved_bytes, 0 AS transfers, 0 AS transfers_failed
  FROM ended GROUP BY 1, 2
"""
_ANSWERS = """
  SELECT s.cloud_id, a.site_id, 0, 0, 0, 0, 0, 0, 0,
    sum(n) FILTER (WHERE outcome = 'job'), sum(n), 0, 0, 0
  FROM (SELECT site_id, outcome, n FROM jobs_answercount WHERE hour = %(start)s
    UNION ALL SELECT site_id, outcome, n FROM jobs_answerdelta WHERE hour = %(start)s) a
  LEFT JOIN brokerage_site s ON s.id = a.site_id GROUP BY 1, 2
"""
_TRANSFERS = """
  SELECT s.cloud_id, s.id, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(t.bytes_moved),
    count(*) FILTER (WHERE t.state = 'done'), count(*) FILTER (WHERE t.state = 'failed')
  FROM datasets_transfer t LEFT JOIN LATERAL (
    SELECT w.site_id FROM datasets_sitestorage w
    WHERE w.storage_id = t.destination_id AND w.role = 'local' ORDER BY w.site_id LIMIT 1
  ) w ON true LEFT JOIN brokerage_site s ON s.id = w.site_id
  WHERE t.ended_at >= %(start)s AND t.ended_at < %(stop)s GROUP BY 1, 2
"""
HOUR_OF_ENDS = f"""
WITH ended AS ({_ENDED}), facts AS ({_JOBS} UNION ALL {_ANSWERS} UNION ALL {_TRANSFERS})
INSERT INTO monitor_endedroll (span, start, cloud_id, site_id, {_SUMS})
SELECT %(span)s, %(start)s, {_PLACE},
  {", ".join(f"coalesce(round(sum({name})), 0)" for name in EndedRoll.SUMS)}
FROM facts GROUP BY GROUPING SETS ((), (cloud_id), (site_id)) HAVING {_KNOWN}
ON CONFLICT DO NOTHING
"""

# How long each took; of a state, every time that a job was in it.
_SPENT = """
  SELECT cloud_id, site_id, 'queue' AS what,
    extract(epoch FROM start_time - creation_time) AS seconds
  FROM ended WHERE start_time IS NOT NULL
  UNION ALL
  SELECT cloud_id, site_id, 'wall', wall FROM ended WHERE start_time IS NOT NULL
  UNION ALL
  SELECT cloud_id, site_id, to_state, extract(epoch FROM gone - at) FROM (
    SELECT j.cloud_id, j.site_id, e.to_state, e.at,
      lead(e.at) OVER (PARTITION BY e.job_id ORDER BY e.seq) AS gone
    FROM ended j JOIN jobs_anyjobevent e ON e.job_id = j.panda_id AND e.shelf = j.shelf
  ) visits WHERE gone IS NOT NULL
"""
_BINS = ", ".join(f"coalesce(sum(n) FILTER (WHERE bin = {i}), 0)" for i in range(BINS))
HOUR_OF_SPREADS = f"""
WITH ended AS MATERIALIZED ({_ENDED}), spent AS ({_SPENT}), binned AS (
  SELECT cloud_id, site_id, what, width_bucket(seconds::float8, {_EDGES}) AS bin, count(*) AS n
  FROM spent GROUP BY 1, 2, 3, 4
)
INSERT INTO monitor_spreadroll (span, start, cloud_id, site_id, what, bins)
SELECT %(span)s, %(start)s, {_PLACE}, what,
  ARRAY[{_BINS}]::integer[]
FROM binned GROUP BY GROUPING SETS ((what), (cloud_id, what), (site_id, what)) HAVING {_KNOWN}
ON CONFLICT DO NOTHING
"""

# A place without a row in a look had no jobs: the mean is over the looks at the grid.
_LOOKS = """
  SELECT date_bin(%(large)s * interval '1 s', start, {origin}) AS start, sum(samples)::integer AS n
  FROM {source} WHERE cloud_id = 0 AND site_id = 0 GROUP BY 1
"""
_MEANS = f"""
  SELECT %(large)s, looks.start, cloud_id, site_id, looks.n,
    {", ".join(f"sum(r.{name} * r.samples) / looks.n" for name in LiveRoll.STATES)}
  FROM {{source}} r
  JOIN looks ON looks.start = date_bin(%(large)s * interval '1 s', r.start, {_ORIGIN})
  GROUP BY looks.start, looks.n, cloud_id, site_id
"""
_LIVE_INTO = f"INSERT INTO monitor_liveroll (span, start, cloud_id, site_id, samples, {_LIVE})"


def _hour_of_looks() -> str:
    source = "(SELECT * FROM monitor_liveroll WHERE span = 300 AND start >= %(start)s"
    source += " AND start < %(stop)s)"
    looks = _LOOKS.format(origin=_ORIGIN, source=f"{source} l")
    text = f"WITH looks AS ({looks}) {_LIVE_INTO} {_MEANS.format(source=source)}"
    return text.replace("%(large)s", "%(span)s") + " ON CONFLICT DO NOTHING"


HOUR_OF_LOOKS = _hour_of_looks()


def _taken(table: str) -> str:
    return (
        f"taken AS (DELETE FROM {table} WHERE span = %(small)s AND start < %(before)s RETURNING *)"
    )


_BIN = f"date_bin(%(large)s * interval '1 s', start, {_ORIGIN})"
_GROW_LIVE = f"""
WITH {_taken("monitor_liveroll")}, looks AS ({_LOOKS.format(origin=_ORIGIN, source="taken")})
{_LIVE_INTO} {_MEANS.format(source="taken")} ON CONFLICT DO NOTHING
"""
_GROW_ENDED = f"""
WITH {_taken("monitor_endedroll")}
INSERT INTO monitor_endedroll (span, start, cloud_id, site_id, {_SUMS})
SELECT %(large)s, {_BIN}, cloud_id, site_id, {", ".join(f"sum({name})" for name in EndedRoll.SUMS)}
FROM taken GROUP BY 2, 3, 4 ON CONFLICT DO NOTHING
"""
_GROW_SPREAD = f"""
WITH {_taken("monitor_spreadroll")}
INSERT INTO monitor_spreadroll (span, start, cloud_id, site_id, what, bins)
SELECT %(large)s, {_BIN}, cloud_id, site_id, what,
  ARRAY[{", ".join(f"sum(bins[{i + 1}])" for i in range(BINS))}]::integer[]
FROM taken GROUP BY 2, 3, 4, 5 ON CONFLICT DO NOTHING
"""
COMPACT = (_GROW_LIVE, _GROW_ENDED, _GROW_SPREAD)

# Buckets of what ended that are shorter than an hour: of hours that go on.
NO_PARTS = "DELETE FROM monitor_endedroll WHERE span < %(span)s"
NO_PART = f"{NO_PARTS} AND start = %(start)s"
FORGET = "DELETE FROM monitor_liveroll WHERE span = %(span)s AND start < %(before)s"
