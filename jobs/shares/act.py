"""The sweep jobs.shares: once a minute the jobs whose turn it is are put first, site by site.

A round
1. reads the tree, the quotas, the cores that each leaf holds, and the queues (`facts.py`);
2. writes down who has to wait for a hard quota, and takes their jobs out of the queues;
3. looks at each site: of each leaf the first jobs, only so many as could be claimed until the next
   round; lets the leaves take turns (`turns.py`) and gives the jobs the priorities that say so, in
   one statement for a site. What has lost its turn has its own priority again;
4. keeps what each leaf has and should have, for the page.

A job that was changed meanwhile (claimed, or given a priority by hand) is left as it is.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from jobs import quotas
from jobs.shares import books, facts
from jobs.shares.facts import Lifted, Rules, Stream
from jobs.shares.turns import Fair, Waiting, in_turn, priorities
from jobs.states import QUEUED, JobState
from pandasite.base.rounds import Round


@dataclass(kw_only=True)
class Site:
    """The queues of a site: jobs that may get a turn, and the best of those that were not read."""

    expected: float
    most: int
    jobs: list[Waiting] = field(default_factory=list)
    behind: list[tuple[int, int]] = field(default_factory=list)  # (priority, PandaID)


def run(now: dt.datetime) -> int:
    """One round; returns how many jobs it gave another priority, or took out of a queue."""
    work = Round()
    rules = Rules(
        root=books.kept(),
        standings=quotas.standings(now),
        jobs_of=facts.jobs_of_users(),
    )
    work.do("quotas", partial(quotas.hold, rules.standings, now=now))
    used = facts.used(rules)
    sites = _sites(rules, _kept(facts.lifted()), now)
    whole = sum(site.expected for site in sites.values())
    for key in _from(now, list(sites)):
        site = sites[key]
        if work.over:
            break
        part = site.expected / whole if whole else 0.0
        fair = Fair.of(rules.root, {leaf: cores * part for leaf, cores in used.items()})
        work.do(f"site {key}", partial(_write, _changes(site, fair), now))
    work.do("what is used", partial(books.keep, rules, used, now))
    return work.end()


def _from(now: dt.datetime, keys: Sequence[int]) -> list[int]:
    """The sites, each round from another one on: a round that has no time for all is fair."""
    start = int(now.timestamp() / 60) * 37 % len(keys) if keys else 0
    return [*keys[start:], *keys[:start]]


def _kept(rows: Iterable[Lifted]) -> list[Lifted]:
    """Those that still wait as they were left; the other rows go."""
    kept: list[Lifted] = []
    gone: list[Lifted] = []
    for row in rows:
        if row.by_hand:
            stays = row.state in QUEUED and row.current == row.given
        else:
            stays = row.state == JobState.ACTIVATED and row.current == row.given
        (kept if stays else gone).append(row)
    if gone:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM jobs_prioritylift l USING unnest(%s::bigint[], %s::int[]) g(id, given)"
                " WHERE l.job_id = g.id AND l.given = g.given",
                [[row.panda_id for row in gone], [row.given for row in gone]],
            )
    return kept


# -- what is there -----------------------------------------------------------------------------


def _sites(rules: Rules, lifted: Sequence[Lifted], now: dt.datetime) -> dict[int, Site]:
    """By site its jobs that may get a turn."""
    queues = facts.streams()
    pace = facts.pace(now, seconds=settings.PANDASITE["SWEEP_SECONDS"])
    keys = {stream.site for stream in queues} | {row.site for row in lifted if row.site}
    expected = {key: max(pace.get(key, 0.0), 0.1) for key in keys}
    sites = {
        key: Site(expected=expected[key], most=facts.turns_of(expected[key]))
        for key in sorted(keys)
    }
    _add_lifted(sites, rules, lifted)
    own = {row.panda_id: row.own for row in lifted}
    by_hand = {row.panda_id for row in lifted if row.by_hand}
    asked = list(_asked(sites, rules, queues, own))
    read = {stream for stream, _n in asked}
    for stream in queues:
        in_a_share = rules.leaf(stream.group, stream.kind) is not None
        if in_a_share and stream not in read and stream.panda_id not in by_hand:
            priority = own.get(stream.panda_id, stream.priority)
            sites[stream.site].behind.append((priority, stream.panda_id))
    _add_heads(sites, rules, asked)
    return sites


def _add_lifted(sites: Mapping[int, Site], rules: Rules, lifted: Iterable[Lifted]) -> None:
    for row in lifted:
        leaf = rules.leaf(row.group, row.kind)
        if row.by_hand or row.site is None:
            continue
        job = Waiting(
            panda_id=row.panda_id,
            leaf=-1 if leaf is None else leaf,
            own=row.own,
            current=row.current,
            wanted=rules.wanted(label=row.label, user=row.user, group=row.group, own=row.own),
            cores=max(row.cores, 1),
        )
        sites[row.site].jobs.append(job)


def _asked(
    sites: Mapping[int, Site], rules: Rules, queues: Iterable[Stream], own: Mapping[int, int]
) -> Iterator[tuple[Stream, int]]:
    """The queues of each leaf at each site that come first, and how many jobs to read of each."""
    of_leaf: defaultdict[tuple[int, int], list[tuple[int, int, Stream]]] = defaultdict(list)
    for stream in queues:
        leaf = rules.leaf(stream.group, stream.kind)
        if leaf is None:
            continue
        priority = own.get(stream.panda_id, stream.priority)
        wanted = rules.wanted(
            label=stream.label, user=stream.user, group=stream.group, own=priority
        )
        of_leaf[stream.site, leaf].append((wanted, -stream.panda_id, stream))
    chosen = {
        place: heapq.nlargest(facts.OF_A_LEAF, found, key=lambda one: one[:2])
        for place, found in of_leaf.items()
    }
    rows = sum(sites[site].most * len(found) for (site, _leaf), found in chosen.items())
    less = min(1.0, facts.ROWS / rows) if rows else 1.0
    for (site, _leaf), found in chosen.items():
        for _wanted, _id, stream in found:
            yield stream, max(1, int(sites[site].most * less))


def _add_heads(
    sites: Mapping[int, Site], rules: Rules, asked: Sequence[tuple[Stream, int]]
) -> None:
    for (stream, n), found in zip(asked, facts.heads(asked), strict=True):
        site = sites[stream.site]
        leaf = rules.leaf(stream.group, stream.kind)
        for head in found:
            wanted = rules.wanted(
                label=head.label, user=stream.user, group=stream.group, own=head.priority
            )
            job = Waiting(
                panda_id=head.panda_id,
                leaf=-1 if leaf is None else leaf,
                own=head.priority,
                current=head.priority,
                wanted=wanted,
                cores=max(head.cores, 1),
            )
            site.jobs.append(job)
        if len(found) == n:  # the others come after the last that was read
            site.behind.append((found[-1].priority, found[-1].panda_id + 1))


# -- what is written ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Another priority for a job; `given` is its own where it loses its turn."""

    job: Waiting
    given: int


def _changes(site: Site, fair: Fair) -> list[Change]:
    """What has to be written, that the jobs of the site go in their turn."""
    in_a_share = [job for job in site.jobs if job.leaf in fair.paths]
    chosen = in_turn(fair, in_a_share, site.most)
    having = {job.panda_id for job in chosen}
    rest = [(job.own, job.panda_id) for job in site.jobs if job.panda_id not in having]
    given = priorities(chosen, [*rest, *site.behind])
    return [
        Change(job=job, given=to)
        for job in site.jobs
        if (to := given.get(job.panda_id, job.own)) != job.current
    ]


# A claim that comes meanwhile takes the next job: a site's rows are held for milliseconds.
_WRITE = """
WITH wanted AS (
  SELECT * FROM unnest(%(ids)s::bigint[], %(was)s::int[], %(own)s::int[], %(given)s::int[],
    %(leaf)s::bigint[]) AS w(panda_id, was, own, given, leaf)
), free AS MATERIALIZED (
  SELECT j.panda_id FROM jobs_job j JOIN wanted w USING (panda_id)
  WHERE j.state = 'activated' AND j.current_priority = w.was
  FOR NO KEY UPDATE OF j SKIP LOCKED
), changed AS (
  UPDATE jobs_job j SET current_priority = w.given FROM wanted w JOIN free USING (panda_id)
  WHERE j.panda_id = w.panda_id
  RETURNING j.panda_id, w.own, w.given, w.leaf
), noted AS (
  INSERT INTO jobs_prioritylift (job_id, share_id, own, given, by_hand, at)
  SELECT panda_id, nullif(leaf, 0), own, given, false, %(now)s FROM changed WHERE given <> own
  ON CONFLICT (job_id) DO UPDATE SET given = excluded.given, share_id = excluded.share_id,
    own = excluded.own, at = excluded.at
), gone AS (
  DELETE FROM jobs_prioritylift l USING changed c WHERE l.job_id = c.panda_id AND c.given = c.own
)
SELECT count(*) FROM changed
"""


def _write(changes: Sequence[Change], now: dt.datetime) -> int:
    if not changes:
        return 0
    values: dict[str, Any] = {
        "ids": [one.job.panda_id for one in changes],
        "was": [one.job.current for one in changes],
        "own": [one.job.own for one in changes],
        "given": [one.given for one in changes],
        "leaf": [max(one.job.leaf, 0) for one in changes],
        "now": now,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WRITE, values)
        return int(cursor.fetchone()[0])
