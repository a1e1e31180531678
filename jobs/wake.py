"""Waiting jobs: each waits for input files that nobody has made yet."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from functools import partial

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from datasets.models import File, Replica
from jobs import services
from jobs.models import Job, JobFile
from jobs.states import JobState
from pandasite.base import inorder
from pandasite.base.patrol import patrol
from pandasite.base.rounds import Round

# One query whatever the number of names and scopes, and whatever stands in them.
_KNOWN = """
SELECT f.scope, f.lfn, f.id
FROM ROWS FROM (jsonb_array_elements_text(%s), jsonb_array_elements_text(%s)) AS named (scope, lfn)
JOIN datasets_file f USING (scope, lfn)
WHERE EXISTS (SELECT FROM datasets_replica r WHERE r.file_id = f.id AND r.state = 'available')
"""


def known_files(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Keys of the files that have a good replica somewhere, by (scope, LFN)."""
    wanted = list(set(names))
    if not wanted:
        return {}
    columns = [json.dumps(column) for column in zip(*wanted, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, columns)
        return {(scope, lfn): pk for scope, lfn, pk in cursor.fetchall()}


def good_replica(file: str) -> QuerySet[Replica]:
    """Subquery: a replica of the outer row's file (its column `file`) that can be read."""
    return Replica.objects.filter(file=OuterRef(file), state=Replica.State.AVAILABLE)


_WAITING = Job.objects.filter(state=JobState.WAITING)


def run(now: dt.datetime) -> int:
    """Link waiting jobs to files that have appeared, and define those that have them all.

    A round looks at the jobs that wait for files of which a replica is new, and at a part of all
    the others (base/patrol.py).
    """
    return patrol("jobs.wake", _WAITING, news=_with_news, look=_look_at, now=now)


def _with_news(since: dt.datetime) -> QuerySet[JobFile, int]:
    """PandaIDs: a replica of a file that they wait for has appeared."""
    new = Replica.objects.filter(
        file__scope=OuterRef("scope"),
        file__lfn=OuterRef("lfn"),
        state=Replica.State.AVAILABLE,
        created_at__gte=since,
    )
    wanted = JobFile.objects.filter(type=JobFile.Type.INPUT, job__state=JobState.WAITING)
    return wanted.filter(Exists(new)).values_list("job", flat=True).order_by()


def _look_at(work: Round, panda_ids: Sequence[int], now: dt.datetime) -> bool:
    """Whether there was time for all of the jobs."""
    work.together(panda_ids, partial(_wake, now=now), name=lambda panda_id: f"job {panda_id}")
    return True


def _wake(panda_ids: Sequence[int], *, now: dt.datetime) -> int:
    _link(panda_ids)
    unknown = JobFile.objects.filter(job=OuterRef("pk"), type=JobFile.Type.INPUT).filter(
        Q(file=None) | ~Exists(good_replica("file"))
    )
    ready = _WAITING.filter(~Exists(unknown), pk__in=panda_ids)
    known = list(ready.order_by("pk").values_list("pk", flat=True))
    return len(services.wake(known, now=now)) if known else 0


def _link(panda_ids: Sequence[int]) -> None:
    same_name = File.objects.filter(scope=OuterRef("scope"), lfn=OuterRef("lfn"))
    orphans = JobFile.objects.filter(
        file=None,
        type=JobFile.Type.INPUT,
        job__in=panda_ids,
        job__state=JobState.WAITING,
    )
    known = orphans.filter(Exists(same_name))
    inorder.update(known, file=Subquery(same_name.values("pk")[:1]))
