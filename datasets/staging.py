"""Requests to tapes: a file is wished for on the disk in front, and is told of when it is there."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

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
TOGETHER = 40  # files of one question; XRootD's own program for it takes 48
ASK_AGAIN = dt.timedelta(days=1)  # a tape may have forgotten what it was asked for


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
    ended, silent = 0, []
    for requests in _by(due, lambda request: request.storage_id):
        try:
            ended += _at_one_tape(requests, now=now)
        except places.StorageError as error:
            silent.append(f"{requests[0].storage.name}: {error}")
    inorder.update(open_ones.filter(pk__in=[request.pk for request in due]), looked_at=now)
    if silent:
        raise Incomplete(silent, rows=ended)
    return ended


def _at_one_tape(requests: list[StageRequest], *, now: dt.datetime) -> int:
    """Ask for what was not asked for, or too long ago, and look at all; how many have ended."""
    place = places.open_place(requests[0].storage.address)
    new = [one for one in requests if one.asked_at is None or one.asked_at < now - ASK_AGAIN]
    for start in range(0, len(new), TOGETHER):
        some = new[start : start + TOGETHER]
        ticket = place.stage([_path(one) for one in some], now=now.timestamp())
        keys = [one.pk for one in some]
        inorder.update(StageRequest.objects.filter(pk__in=keys), asked_at=now, ticket=ticket)
        for one in some:
            one.ticket = ticket
    ended = 0
    for asked in _by(requests, lambda request: request.ticket):
        for start in range(0, len(asked), TOGETHER):
            ended += _look(place, asked[start : start + TOGETHER], now=now)
    return ended


def _look(place: places.Place, requests: list[StageRequest], *, now: dt.datetime) -> int:
    paths = [_path(request) for request in requests]
    found = place.staged(paths, ticket=requests[0].ticket, now=now.timestamp())
    ended = 0
    for request, path in zip(requests, paths, strict=True):
        stage, error = found[path]
        if stage != Stage.REQUESTED:
            ended += _end(request, error, now=now)
    return ended


def _path(request: StageRequest) -> str:
    return places.path_of(request.file.scope, request.file.lfn)


def _by(
    requests: Iterable[StageRequest], key: Callable[[StageRequest], object]
) -> list[list[StageRequest]]:
    """Those of one key together, in the order in which the keys come first."""
    groups: dict[object, list[StageRequest]] = defaultdict(list)
    for request in requests:
        groups[key(request)].append(request)
    return list(groups.values())


def _end(request: StageRequest, error: str, *, now: dt.datetime) -> int:
    """Note the news, and wake the transfers that wait for it."""
    mine = StageRequest.objects.filter(pk=request.pk, state=StageRequest.State.REQUESTED)
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
