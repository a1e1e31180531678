"""Requests to tapes: a file is wished for on the disk in front, and is told of when it is there."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When

from datasets import storage as places
from datasets.demand import pause_after
from datasets.models import StageRequest, StorageElement, Transfer
from datasets.reasons import reason_of
from datasets.states import TransferState
from datasets.storage.base import Stage
from pandasite.base import inorder
from pandasite.base.nudge import nudge
from pandasite.base.rounds import Incomplete

log = logging.getLogger(__name__)

WAITS_FOR_TAPE = "waits for tape"
BATCH = 1000  # requests per round


def prestage(files: Collection[int], storage: StorageElement, *, now: dt.datetime) -> None:
    """Ask for files, by key, at a tape; those that are asked for already stay as they are.

    Each is staged or failed in the end: `StageRequest.objects.filter(ended_at__gt=...)` is the
    news.
    """
    StageRequest.objects.bulk_create(
        [StageRequest(file_id=pk, storage=storage, created_at=now) for pk in sorted(set(files))],
        ignore_conflicts=True,  # staged_once
    )
    nudge("datasets.stage")


def stage(now: dt.datetime) -> int:
    """Put new requests to the tapes and look how far the others are; how many have ended.

    Who was looked at longest ago comes first. A tape that does not answer keeps nobody waiting:
    its requests had their turn as well.
    """
    open_ones = StageRequest.objects.filter(state=StageRequest.State.REQUESTED)
    due = list(
        open_ones.select_related("file", "storage").order_by(
            F("looked_at").asc(nulls_first=True), "pk"
        )[:BATCH]
    )
    ended, silent = 0, dict[int, str]()
    for request in due:
        if request.storage_id in silent:
            continue
        try:
            ended += _look(request, now=now)
        except places.StorageError as error:
            silent[request.storage_id] = f"{request.storage.name}: {error}"
    inorder.update(open_ones.filter(pk__in=[request.pk for request in due]), looked_at=now)
    if silent:
        raise Incomplete([*silent.values()], rows=ended)
    return ended


def _look(request: StageRequest, *, now: dt.datetime) -> int:
    place = places.open_place(request.storage.address)
    path = places.path_of(request.file.scope, request.file.lfn)
    mine = StageRequest.objects.filter(pk=request.pk, state=StageRequest.State.REQUESTED)
    if request.asked_at is None:
        place.stage(path, now=now.timestamp())
        mine.update(asked_at=now)
    found, error = place.staged(path, now=now.timestamp())
    if found == Stage.REQUESTED:
        return 0
    return _end(request, mine, error, now=now)


def _end(
    request: StageRequest, mine: QuerySet[StageRequest], error: str, *, now: dt.datetime
) -> int:
    """Note the news, and wake the transfers that wait for it."""
    state = StageRequest.State.FAILED if error else StageRequest.State.STAGED
    with transaction.atomic():
        if not mine.update(state=state, error=error, ended_at=now):
            return 0
        waiting = Transfer.objects.filter(
            file=request.file_id, state=TransferState.QUEUED, reason=WAITS_FOR_TAPE
        )
        if error:
            log.warning("staging_failed", extra={"file": str(request.file), "error": error})
            _count_failure(waiting, error, now=now)
        else:
            inorder.update(waiting, next_try_at=now, reason="", error="")
        nudge("datasets.schedule_transfers")
    return 1


def _count_failure(waiting: QuerySet[Transfer], error: str, *, now: dt.datetime) -> None:
    """A tape that could not bring the file is a failed try; the last one ends the transfer."""
    tries = settings.PANDASITE["TRANSFER_ATTEMPTS"]
    about = {"error": error, "reason": reason_of(error), "attempts": F("attempts") + 1}
    mine = Transfer.objects.filter(pk__in=inorder.hold(waiting), state=TransferState.QUEUED)
    ended = mine.filter(attempts__gte=tries - 1).update(
        state=TransferState.FAILED, ended_at=now, **about
    )
    pauses = [When(attempts=done, then=Value(now + pause_after(done + 1))) for done in range(tries)]
    mine.update(next_try_at=Case(*pauses, default=Value(now)), **about)
    if ended:
        nudge("jobs.activate")
        nudge("jobs.complete_transfers")
