"""Sweeps over more rows than one round can look at: the news first, then one part of all in turn.

Most that can have happened to a row is told by another one that is new: a transfer that ended, a
replica. Such news are looked for since the last round. What they do not tell (an administrator's
hand, a row that was held) is found by the patrol, which looks at a part in each round and goes on
from there in the next. Neither grows with the number of rows that wait.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet

from pandasite.base.models import Patrol
from pandasite.base.rounds import Round

PART = 5000  # rows looked at, and moved, at once
# Rows of the patrol for each second since the last round: nudges make rounds many, not dear.
RATE = 100
LEAST = 200
NEWS = 200_000  # that one round hears
MARGIN = dt.timedelta(seconds=60)  # a row may be seen later than its time says: on its commit
FIRST = dt.timedelta(minutes=10)  # how old news may be for the very first round

# Deals with the rows of these keys, as many as PART; whether there was time for all. One that does
# not go well is named by the round, and its turn comes again.
Look = Callable[[Round, Sequence[int], dt.datetime], bool]


def patrol(
    name: str,
    rows: QuerySet[Any],
    *,
    news: Callable[[dt.datetime], QuerySet[Any, int]],
    look: Look,
    now: dt.datetime,
) -> int:
    """One round of the sweep `name` over `rows`; returns the number of rows changed.

    `news(since)` gives keys of rows about which there is news; each look is at a list of keys, for
    which the planner of the database knows what to expect.
    """
    work, kept = Round(), Patrol.objects.filter(name=name).first()
    after = kept.after if kept else 0
    since = kept.news_until if kept else now - FIRST
    told = list(news(since - MARGIN).distinct()[:NEWS])
    heard = all(look(work, told[i : i + PART], now) for i in range(0, len(told), PART))
    size = min(PART, max(LEAST, int(RATE * (now - since).total_seconds())))
    part = list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:size])
    seen = look(work, sorted(set(part) - set(told)), now)
    come_to = part[-1] if len(part) == size else 0
    Patrol.objects.update_or_create(
        name=name,
        defaults={
            "news_until": now if heard and len(told) < NEWS else since,
            "after": come_to if seen else after,
        },
    )
    return work.end()
