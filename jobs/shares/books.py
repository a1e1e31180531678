"""What is kept of the tree: the tree itself, and what its leaves have, should have and had."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import connection, transaction

from jobs.models import Share, ShareTally, ShareUse
from jobs.shares import facts, root
from jobs.shares.facts import Rules
from jobs.shares.tree import Node, problems, targets
from pandasite.base.clock import full_hour
from pandasite.base.errors import BadInput

KEPT = dt.timedelta(days=8)  # hours of use
LONGEST = dt.timedelta(minutes=10)  # that a round speaks for


def kept() -> Node:
    """The tree, with a row of its own for all jobs."""
    root.make()
    return facts.load()


def set_children(parent: Share, children: Sequence[Node]) -> None:
    """Put these below a share, in the place of all that were; BadInput says what is wrong."""
    if wrong := problems(children):
        raise BadInput(f"{parent.name}: {'; '.join(wrong)}", code="bad_shares")
    with transaction.atomic():
        parent.children.exclude(name__in=[child.name for child in children]).delete()
        for child in children:
            columns = {
                "percent": child.percent,
                "working_group": child.working_group,
                "processing_type": child.processing_type,
            }
            Share.objects.update_or_create(name=child.name, parent=parent, defaults=columns)


def keep(rules: Rules, used: Mapping[int, int], now: dt.datetime) -> int:
    """Write what each leaf has and should have, and add it to what it had in this hour."""
    waiting = facts.waiting(rules.root)
    demand = {
        leaf.id: used.get(leaf.id, 0) + waiting.get(leaf.id, 0) for leaf in rules.root.leaves()
    }
    target = targets(rules.root, demand, sum(used.values()))
    with transaction.atomic():
        last = _last()
        ShareTally.objects.bulk_create(
            [
                ShareTally(
                    share_id=leaf,
                    used=used.get(leaf, 0),
                    target=target[leaf],
                    waiting=waiting.get(leaf, 0),
                    at=now,
                )
                for leaf in demand
            ],
            update_conflicts=True,
            unique_fields=["share"],
            update_fields=["used", "target", "waiting", "at"],
        )
        ShareTally.objects.exclude(share__in=demand.keys()).delete()
        if last is not None and now > last:
            _add(used, min(now - last, LONGEST), now)
    ShareUse.objects.filter(hour__lt=now - KEPT).delete()
    return 0


def _last() -> dt.datetime | None:
    """When the last round was; a round beside this one waits."""
    return max((row.at for row in ShareTally.objects.select_for_update()), default=None)


_ADD = """
INSERT INTO jobs_shareuse (share_id, hour, core_s)
SELECT leaf, %(hour)s, cores FROM unnest(%(leaf)s::bigint[], %(cores)s::bigint[]) AS u(leaf, cores)
WHERE cores > 0
ON CONFLICT (share_id, hour) DO UPDATE SET core_s = jobs_shareuse.core_s + excluded.core_s
"""


def _add(used: Mapping[int, int], span: dt.timedelta, now: dt.datetime) -> None:
    seconds = span.total_seconds()
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD,
            {
                "hour": full_hour(now),
                "leaf": [*used],
                "cores": [round(cores * seconds) for cores in used.values()],
            },
        )
