"""Wishes that last: what a subscription lacks, and nobody moves, is asked for again.

Blocks are not meant: the sweeps over jobs ask for what jobs wait for. These are datasets that
somebody wants at a storage element: files that did not come, that the dataset got later, or whose
copy was lost. What was wanted in vain for TRANSFER_GIVE_UP_HOURS is asked for no longer; when
nothing else is missing, the subscription is given up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from django.db import connection, transaction

from datasets.browsing import BLOCKS
from datasets.demand import Asking, Errand, ask, pause_after, too_old
from datasets.models import Subscription
from datasets.states import DatasetState
from datasets.subscriptions import give_up, reopen
from pandasite.base.models import Patrol
from pandasite.base.patrol import FIRST, MARGIN
from pandasite.base.rounds import Round

SWEEP = "datasets.keep_wishes"
PART = 50  # open ones that a round looks at in turn, before those with news
NEWS = 10_000  # subscriptions with news
FILES = 5000  # of a dataset, asked for at once
SECONDS = 10.0

_KEPT = (
    Subscription.objects.filter(ddm="", dataset__aborted_at=None)
    .exclude(state=Subscription.State.GIVEN_UP)
    .exclude(dataset__state=DatasetState.ERASED)
    .exclude(dataset__type__in=BLOCKS)
)
# A transfer has failed that an open one waits for; or a dataset has a file, and the file is
# somewhere, since then.
_NEWS = """
SELECT s.id FROM datasets_transfer t JOIN datasets_datasetfile m ON m.file_id = t.file_id
JOIN datasets_subscription s ON s.dataset_id = m.dataset_id AND s.storage_id = t.destination_id
WHERE t.ended_at >= %(since)s AND t.state = 'failed' AND s.state = 'open' AND s.ddm = ''
UNION
SELECT s.id FROM datasets_replica r JOIN datasets_datasetfile m ON m.file_id = r.file_id
JOIN datasets_subscription s ON s.dataset_id = m.dataset_id AND s.storage_id <> r.storage_id
WHERE r.created_at >= %(since)s AND r.state = 'available' AND s.state <> 'given_up' AND s.ddm = ''
ORDER BY 1 LIMIT %(most)s
"""
# The files of a dataset that a storage element lacks and nobody moves there. `again` says whether
# it is of use to ask: always the first time; later as long as it is not wanted for too long, and
# a good replica is somewhere.
_IDLE = """
WITH idle AS MATERIALIZED (
  SELECT m.file_id, last.error, last.created_at, last.tries,
    last.created_at IS NULL OR (last.created_at > %(old)s AND NOT (last.permanent AND NOT EXISTS (
      SELECT FROM datasets_replica r WHERE r.file_id = m.file_id AND r.state = 'available'
    ))) AS again
  FROM datasets_datasetfile m LEFT JOIN LATERAL (
    SELECT * FROM (
      SELECT t.state, t.permanent, t.error, t.created_at,
        sum(t.attempts) FILTER (WHERE t.state = 'failed') OVER () AS tries
      FROM datasets_transfer t
      WHERE t.file_id = m.file_id AND t.destination_id = %(storage)s
        AND t.state IN ('failed', 'done') AND t.ended_at >= %(since)s
      ORDER BY t.id DESC LIMIT 1
    ) t WHERE t.state = 'failed' -- else it was there since
  ) last ON true
  WHERE m.dataset_id = %(dataset)s AND NOT EXISTS (
    SELECT FROM datasets_replica r WHERE r.file_id = m.file_id AND r.storage_id = %(storage)s
      AND r.state = 'available'
  ) AND NOT EXISTS (
    SELECT FROM datasets_transfer t WHERE t.file_id = m.file_id
      AND t.destination_id = %(storage)s AND t.state IN ('queued', 'copying')
  )
)
SELECT file_id, error, created_at, tries, again,
  count(*) FILTER (WHERE again OR created_at > %(old)s) OVER () = 0 AS is_over
FROM idle ORDER BY again DESC, file_id LIMIT %(most)s
"""
_MOVING = """
SELECT EXISTS (
  SELECT FROM datasets_datasetfile m JOIN datasets_transfer t ON t.file_id = m.file_id
  WHERE m.dataset_id = %s AND t.destination_id = %s AND t.state IN ('queued', 'copying')
)
"""


class Idle(NamedTuple):
    """A missing file, with the last transfer that failed; `is_over`: no file is of any use."""

    file_id: int
    error: str | None
    since: dt.datetime | None
    tries: int | None
    again: bool
    is_over: bool


def run(now: dt.datetime) -> int:
    """One round: some of the open subscriptions in turn, then those with news."""
    work = Round(seconds=SECONDS)
    patrol = Patrol.objects.filter(name=SWEEP).first()
    after, since = (patrol.after, patrol.news_until) if patrol else (0, now - FIRST)
    turn = _turn(after)
    told = _news(since - MARGIN)
    for key in dict.fromkeys([*turn, *told]):
        if work.over:
            break
        work.do(f"subscription {key}", partial(keep, key, now=now))
        after = key if key in turn else after
    else:
        since, after = now, after if len(turn) == PART else 0
    Patrol.objects.update_or_create(name=SWEEP, defaults={"news_until": since, "after": after})
    return work.end()


def _turn(after: int) -> list[int]:
    rows = _KEPT.filter(state=Subscription.State.OPEN, pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:PART])


def _news(since: dt.datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWS, {"since": since, "most": NEWS})
        return [key for (key,) in cursor.fetchall()]


def keep(key: int, *, now: dt.datetime) -> int:
    """Ask for what this subscription lacks, or give it up; how many files were asked for."""
    with transaction.atomic():
        held = _KEPT.filter(pk=key).select_for_update(of=("self",), no_key=True)
        one = held.select_related("storage").first()
        idle = _idle(one, now=now) if one else []
        if one is None or not idle:
            return 0
        wanted = [file for file in idle if file.again]
        if one.state == Subscription.State.DONE:
            reopen([one.pk])
        if wanted:
            errand = Errand(activity=one.activity, priority=one.priority, vo=one.vo)
            ask([_asking(file) for file in wanted], one.storage, now=now, errand=errand)
        elif idle[0].is_over and not _is_moving(one):
            said = next((file.error for file in idle if file.error), "")
            give_up(one, reason=f"wanted for too long: {said}", now=now)
        return len(wanted)


def _idle(one: Subscription, *, now: dt.datetime) -> Sequence[Idle]:
    about = {
        "dataset": one.dataset_id,
        "storage": one.storage_id,
        "since": one.created_at,
        "old": too_old(now),
        "most": FILES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_IDLE, about)
        return [Idle(*row) for row in cursor.fetchall()]


def _asking(file: Idle) -> Asking:
    if file.since is None:
        return Asking(file_id=file.file_id)
    pause = pause_after(int(file.tries or 0))
    return Asking(file_id=file.file_id, pause=pause, error=file.error or "", since=file.since)


def _is_moving(one: Subscription) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_MOVING, [one.dataset_id, one.storage_id])
        return bool(cursor.fetchone()[0])
