"""What a round of the sweep reads: the tree, what is used, and the heads of the queues."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Sum

from jobs import counts
from jobs.labels import is_analysis
from jobs.models import LiveTally, Share
from jobs.quotas import Standing, Standings
from jobs.shares.formula import own_priority, user_priority
from jobs.shares.tree import Node, leaf_of
from jobs.states import JobState
from pandasite.base.clock import full_hour

STREAMS = 50_000  # queues (site, group, type, user) that a round looks at
OF_A_LEAF = 10  # of them at a site, those whose jobs are to go first
ROWS = 40_000  # jobs that a round reads
LEAST, MOST = 20, 400  # jobs of a site that get a turn
AHEAD = 3  # times as many as are expected to be claimed until the next round


class Stream(NamedTuple):
    """A queue of like jobs, and its head."""

    site: int
    group: str
    kind: str
    user: str
    label: str
    panda_id: int
    priority: int


def load() -> Node:
    """The tree; all jobs in one share where none is kept."""
    rows = list(Share.objects.all())
    below: defaultdict[int | None, list[Share]] = defaultdict(list)
    for row in rows:
        below[row.parent_id].append(row)

    def grown(row: Share) -> Node:
        return Node(
            id=row.pk,
            name=row.name,
            percent=row.percent,
            working_group=row.working_group,
            processing_type=row.processing_type,
            children=tuple(map(grown, below[row.pk])),
        )

    roots = below[None]
    return grown(roots[0]) if roots else Node()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The tree, the quotas, and how many jobs users have: what a job's priority should be."""

    root: Node
    standings: Standings
    jobs_of: Mapping[str, int]

    def __post_init__(self) -> None:
        """A round asks the same few questions for each of thousands of jobs."""
        object.__setattr__(self, "leaf", cache(self.leaf))
        object.__setattr__(self, "_terms", cache(self._terms))

    def leaf(self, group: str, kind: str) -> int | None:
        """The id of the leaf of such jobs."""
        found = leaf_of(self.root, group, kind)
        return found.id if found else None

    def _terms(self, user: str, group: str) -> tuple[int, float]:
        """Offset and overuse that count for jobs of a user in a group."""
        keys = [("user", user), ("group", group)]
        found: list[Standing] = [self.standings[key] for key in keys if key in self.standings]
        return sum(one.offset for one in found), max((one.overused for one in found), default=0.0)

    def wanted(self, *, label: str, user: str, group: str, own: int) -> int:
        """The priority that a job should have among those of its leaf."""
        offset, overused = self._terms(user, group)
        if is_analysis(label):
            jobs = self.jobs_of.get(user, 0)
            return user_priority(offset=offset, jobs=jobs, overused=overused)
        return own_priority(own, overused=overused)


_JOBS_OF = 'SELECT "user", sum(n)::bigint FROM jobs_livetally GROUP BY 1'


def jobs_of_users() -> dict[str, int]:
    """Queued and active jobs by user, as tallied."""
    with connection.cursor() as cursor:
        cursor.execute(_JOBS_OF)
        return dict(cursor.fetchall())


_USED = """
SELECT working_group, processing_type, sum(greatest(core_count, 1))::bigint
FROM jobs_job WHERE state = ANY(ARRAY['sent', 'starting', 'running']) GROUP BY 1, 2
"""


def used(rules: Rules) -> dict[int, int]:
    """Cores that pilots hold, by leaf."""
    found: defaultdict[int, int] = defaultdict(int)
    with connection.cursor() as cursor:
        cursor.execute(_USED)
        for group, kind, cores in cursor.fetchall():
            leaf = rules.leaf(group, kind)
            if leaf is not None:
                found[leaf] += cores
    return dict(found)


def waiting(root: Node) -> dict[int | None, int]:
    """Activated jobs by leaf, as tallied; None: those in no share."""
    found: defaultdict[int | None, int] = defaultdict(int)
    tallied = LiveTally.objects.filter(state=JobState.ACTIVATED).order_by()
    kinds = tallied.values_list("working_group", "processing_type").annotate(jobs=Sum("n"))
    for group, kind, n in kinds:
        leaf = leaf_of(root, group, kind)
        found[leaf.id if leaf else None] += n
    return dict(found)


# Each step is one look at the index job_stream: the head of the next queue.
_STREAMS = """
WITH RECURSIVE stream AS (
  (SELECT computing_site_id AS site, working_group AS grp, processing_type AS kind,
    prod_user_id AS usr, prod_source_label AS label, panda_id, current_priority
  FROM jobs_job WHERE state = 'activated'
  ORDER BY computing_site_id, working_group, processing_type, prod_user_id,
    current_priority DESC, panda_id LIMIT 1)
  UNION ALL
  SELECT n.* FROM stream s CROSS JOIN LATERAL (
    SELECT computing_site_id, working_group, processing_type, prod_user_id, prod_source_label,
      panda_id, current_priority
    FROM jobs_job WHERE state = 'activated'
      AND (computing_site_id, working_group, processing_type, prod_user_id)
        > (s.site, s.grp, s.kind, s.usr)
    ORDER BY computing_site_id, working_group, processing_type, prod_user_id,
      current_priority DESC, panda_id LIMIT 1
  ) n
)
SELECT * FROM stream LIMIT %s
"""


def streams() -> list[Stream]:
    """All queues in which jobs wait for a pilot."""
    with connection.cursor() as cursor:
        cursor.execute(_STREAMS, [STREAMS])
        return [Stream(*row) for row in cursor.fetchall()]


_HEADS = """
SELECT q.nr, j.panda_id, j.prod_source_label, j.current_priority, j.core_count
FROM unnest(%(site)s::bigint[], %(grp)s::text[], %(kind)s::text[], %(usr)s::text[], %(n)s::int[])
  WITH ORDINALITY AS q(site, grp, kind, usr, n, nr)
CROSS JOIN LATERAL (
  SELECT panda_id, prod_source_label, current_priority, core_count FROM jobs_job j
  WHERE j.state = 'activated' AND j.computing_site_id = q.site AND j.working_group = q.grp
    AND j.processing_type = q.kind AND j.prod_user_id = q.usr
    AND NOT EXISTS (SELECT 1 FROM jobs_prioritylift l WHERE l.job_id = j.panda_id)
  ORDER BY j.current_priority DESC, j.panda_id LIMIT q.n
) j
"""


class Head(NamedTuple):
    """A job that is not lifted, among the first of its queue."""

    panda_id: int
    label: str
    priority: int
    cores: int


def heads(asked: Sequence[tuple[Stream, int]]) -> list[list[Head]]:
    """Of each queue the first jobs that are not lifted, at most so many."""
    found: list[list[Head]] = [[] for _ in asked]
    if asked:
        columns: dict[str, Any] = {
            "site": [stream.site for stream, _n in asked],
            "grp": [stream.group for stream, _n in asked],
            "kind": [stream.kind for stream, _n in asked],
            "usr": [stream.user for stream, _n in asked],
            "n": [n for _stream, n in asked],
        }
        with connection.cursor() as cursor:
            cursor.execute(_HEADS, columns)
            for nr, *row in cursor.fetchall():
                found[nr - 1].append(Head(*row))
    return found


class Lifted(NamedTuple):
    """A job that has a row of PriorityLift, as it is now; without a state where it is no more."""

    panda_id: int
    own: int
    given: int
    by_hand: bool
    state: str | None
    site: int | None
    group: str
    kind: str
    user: str
    label: str
    current: int
    cores: int


_LIFTED = """
SELECT l.job_id, l.own, l.given, l.by_hand, j.state, j.computing_site_id,
  coalesce(j.working_group, ''), coalesce(j.processing_type, ''), coalesce(j.prod_user_id, ''),
  coalesce(j.prod_source_label, ''), coalesce(j.current_priority, 0), coalesce(j.core_count, 1)
FROM jobs_prioritylift l LEFT JOIN jobs_job j ON j.panda_id = l.job_id
"""


def lifted() -> list[Lifted]:
    """All jobs with a row of PriorityLift."""
    with connection.cursor() as cursor:
        cursor.execute(_LIFTED)
        return [Lifted(*row) for row in cursor.fetchall()]


def pace(now: dt.datetime, *, seconds: float) -> dict[int, float]:
    """Jobs that pilots of each site are expected to claim within so many seconds."""
    hour = full_hour(now)
    so_far = max((now - hour).total_seconds(), 300.0)
    found: defaultdict[int, float] = defaultdict(float)
    for at, site, outcome, n in counts.answers_by_hour(since=now - dt.timedelta(hours=1)):
        if outcome == counts.HANDED_OUT:
            span = so_far if at >= hour else 3600.0
            found[site] = max(found[site], n * seconds / span)
    return dict(found)


def turns_of(expected: float) -> int:
    """How many jobs of a site get a turn."""
    return min(MOST, max(LEAST, math.ceil(AHEAD * expected)))
