"""Dispatch blocks: the `_dis` datasets that bring jobs the input which their site lacks."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from django.db import connection

from datasets.blocks import Block
from jobs.applicants import Applicant
from jobs.labels import is_analysis

_MISSING = """
SELECT wanted.file_id, wanted.storage_id
FROM unnest(%s::bigint[], %s::bigint[]) AS wanted(file_id, storage_id)
WHERE NOT EXISTS (
  SELECT FROM datasets_replica there WHERE there.file_id = wanted.file_id
    AND there.storage_id = wanted.storage_id AND there.state = 'available')
"""


def missing_inputs(wanted: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the (file, storage element) without a good replica there, by their keys."""
    pairs = sorted(set(wanted))
    if not pairs:
        return set()
    files, storages = zip(*pairs, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [list(files), list(storages)])
        return set(cursor.fetchall())


def block_for(lacking: Sequence[Applicant], files: Iterable[int], storage_id: int) -> Block:
    """The block of a bunch: `lacking` are the jobs that wait for `files`."""
    first = lacking[0]
    name = f"panda.{_datatype(first)}.{first.task_id or 0}.{uuid.uuid4()}_dis{first.panda_id}"
    activity = "analysis" if is_analysis(first.label) else "production"
    return Block(
        name=name, storage_id=storage_id, files=sorted(files), activity=activity, vo=first.vo
    )


def _datatype(job: Applicant) -> str:
    """The second-last field of the input dataset's name, when it is short enough to be one."""
    fields = job.prod_d_block.split(".")
    word = fields[-2] if len(fields) > 1 else ""
    return word if 0 < len(word) <= 10 else "Unknown"
