"""Waiting jobs: each waits for input files that nobody has made yet."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from datasets.models import File, Replica
from jobs import services
from jobs.models import Job, JobFile
from jobs.states import JobState

BATCH = 2000  # jobs per round


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


def run(now: dt.datetime) -> int:
    """Link waiting jobs to files that have appeared, and define those that have them all."""
    _link()
    unknown = JobFile.objects.filter(job=OuterRef("pk"), type=JobFile.Type.INPUT).filter(
        Q(file=None) | ~Exists(good_replica("file"))
    )
    ready = Job.objects.filter(state=JobState.WAITING).filter(~Exists(unknown))
    panda_ids = list(ready.order_by("pk").values_list("pk", flat=True)[:BATCH])
    return len(services.wake(panda_ids, now=now)) if panda_ids else 0


def _link() -> None:
    same_name = File.objects.filter(scope=OuterRef("scope"), lfn=OuterRef("lfn"))
    orphans = JobFile.objects.filter(
        file=None, type=JobFile.Type.INPUT, job__state=JobState.WAITING
    ).filter(Exists(same_name))
    orphans.update(file=Subquery(same_name.values("pk")[:1]))
