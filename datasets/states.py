"""States of transfers and datasets, each with its legal followers. Pure."""

from __future__ import annotations

from enum import StrEnum


class TransferState(StrEnum):
    QUEUED = "queued"  # waits for a worker, or for next_try_at
    COPYING = "copying"  # a worker holds it until lease_until
    DONE = "done"  # the replica is registered
    FAILED = "failed"  # given up, with the reason in `error`; who still wants it asks again


class DatasetState(StrEnum):
    OPEN = "open"  # files may be added
    TOBECLOSED = "tobeclosed"  # nothing is expected any more; frozen after a pause
    FROZEN = "frozen"  # its content never changes again
    COMPLETED = "completed"  # frozen, and all of it where it was wanted
    ERASED = "erased"  # nothing ever came, it has served, or nobody waits for it any more


TRANSFER_MOVES: dict[TransferState, frozenset[TransferState]] = {
    TransferState.QUEUED: frozenset(
        {TransferState.COPYING, TransferState.DONE, TransferState.FAILED}
    ),
    TransferState.COPYING: frozenset(
        {TransferState.QUEUED, TransferState.DONE, TransferState.FAILED}
    ),
    TransferState.DONE: frozenset(),
    TransferState.FAILED: frozenset(),
}

DATASET_MOVES: dict[DatasetState, frozenset[DatasetState]] = {
    DatasetState.OPEN: frozenset(
        {DatasetState.TOBECLOSED, DatasetState.FROZEN, DatasetState.ERASED}
    ),
    DatasetState.TOBECLOSED: frozenset(
        {DatasetState.OPEN, DatasetState.FROZEN, DatasetState.ERASED}
    ),
    DatasetState.FROZEN: frozenset({DatasetState.COMPLETED, DatasetState.ERASED}),
    DatasetState.COMPLETED: frozenset({DatasetState.ERASED}),
    DatasetState.ERASED: frozenset(),
}

ACTIVE_TRANSFERS = (TransferState.QUEUED, TransferState.COPYING)
