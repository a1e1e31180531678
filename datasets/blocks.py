"""Dispatch blocks, many at once: frozen datasets, each wished for at one storage element."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from datasets.ddm import choice
from datasets.models import Dataset, Subscription
from datasets.states import DatasetState
from datasets.wanted import assign_carriers
from pandasite.base.nudge import nudge


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block to be: its files (keys of the catalogue) are not at the storage element yet."""

    name: str
    storage_id: int
    files: Sequence[int]
    activity: str
    vo: str = ""


def send(blocks: Sequence[Block], *, now: dt.datetime) -> list[int]:
    """Make the blocks, frozen and subscribed, and ask for their files; keys in the order given."""
    if not blocks:
        return []
    with transaction.atomic():
        rows = Dataset.objects.bulk_create(_dataset(block, now) for block in blocks)
        made = list(zip(blocks, rows, strict=True))
        _add([(row.pk, file) for block, row in made for file in block.files])
        Subscription.objects.bulk_create(
            Subscription(
                dataset=row,
                storage_id=block.storage_id,
                activity=block.activity,
                vo=block.vo,
                ddm=choice.of_vo(block.vo),
                created_at=now,
            )
            for block, row in made
        )
        _ask_for(blocks, now)
        assign_carriers({block.storage_id for block in blocks})
    nudge("datasets.schedule_transfers")
    return [row.pk for row in rows]


def _dataset(block: Block, now: dt.datetime) -> Dataset:
    return Dataset(
        name=block.name,
        type=Dataset.Type.DISPATCH,
        state=DatasetState.FROZEN,
        destination_id=block.storage_id,
        created_at=now,
        state_changed_at=now,
    )


_MEMBERS = """
INSERT INTO datasets_datasetfile (dataset_id, file_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[])
"""


def _add(members: Sequence[tuple[int, int]]) -> None:
    """(dataset, file) of new datasets."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [list(column) for column in zip(*members, strict=True)])


# In one order, since another round may ask for the same files: it waits for the first, and the
# second of two that go different ways would be a deadlock.
_TRANSFERS = """
INSERT INTO datasets_transfer (file_id, destination_id, activity, vo, state, attempts, error,
  permanent, bytes_moved, created_at, next_try_at)
SELECT file_id, storage_id, activity, vo, 'queued', 0, '', false, 0, %(now)s, %(now)s
FROM unnest(%(files)s::bigint[], %(storages)s::bigint[], %(activities)s::text[], %(vos)s::text[])
  AS wanted(file_id, storage_id, activity, vo)
ORDER BY file_id, storage_id
ON CONFLICT DO NOTHING -- one_active_transfer
"""


def _ask_for(blocks: Sequence[Block], now: dt.datetime) -> None:
    """A transfer for each (file, storage element) that has none under way, on the first block's
    errand where several want it."""
    wanted = {(file, one.storage_id): one for one in reversed(blocks) for file in one.files}
    files, storages = zip(*wanted, strict=True)
    columns = {
        "files": list(files),
        "storages": list(storages),
        "activities": [one.activity for one in wanted.values()],
        "vos": [one.vo for one in wanted.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_TRANSFERS, columns | {"now": now})
