"""Talk with data management systems elsewhere: what is wished for, and what became of it.

Our tables have every wish (a subscription with the system's name) and every file that is under way
(transfers with the carrier `ddm`), so that pages and sweeps see no difference. Here the system is
told, and asked. No transaction is open while it answers; each verb of it may be repeated.

A wish whose `asked_at` is empty has something to be told: it is new, its dataset has grown, or its
priority has changed. One that was fulfilled at once, as outputs that were made where they are to
stay, is told as well, so that the system knows them.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet

from datasets import registry
from datasets.ddm import choice
from datasets.ddm.contract import DataManagement, DdmError, DdmLater, DdmRefused, Seen, Wish
from datasets.ddm.news import News, record
from datasets.models import Dataset, File, Replica, StorageElement, Subscription
from datasets.registry import Name, NewFile
from datasets.states import DatasetState
from datasets.subscriptions import give_up
from pandasite.base import inorder
from pandasite.base.clock import database_now
from pandasite.base.rounds import Round

log = logging.getLogger(__name__)

BATCH = 200  # wishes told, and asked about, per round and system
TOGETHER = 25  # wishes asked about in one call
LOOKED_UP = 5000  # files of a dataset that no storage element has here
SECONDS = 20.0  # and what has begun: a wish takes three calls of ten
NEWS = 500  # recorded in one transaction


def run(now: dt.datetime) -> int:
    """A round with each system: wishes that have ended, new ones, and those that were asked about
    the longest ago. A system that does not answer is left alone until the next round."""
    work = Round(seconds=SECONDS)
    for path in choice.elsewhere():
        work.do(path, partial(_with, path, work, now))
    return work.end()


def _with(path: str, work: Round, now: dt.datetime) -> int:
    system = choice.system(path)
    done = 0
    try:
        for one in _ended(path):
            done += _call_off(system, one)
            if work.over:
                return done
        done += _tell_all(system, path, work, now)
        done += _ask_all(system, path, work, now)
    except DdmError as error:
        log.warning("ddm_unavailable", extra={"ddm": path, "error": str(error)})
    return done


def _ended(path: str) -> list[Subscription]:
    """Given up here, or of a dataset that is no more, and still wished for there."""
    over = Q(state=Subscription.State.GIVEN_UP) | Q(dataset__state=DatasetState.ERASED)
    rows = Subscription.objects.filter(over, ddm=path).exclude(reference="")
    return list(rows.order_by("pk")[:BATCH])


def _call_off(system: DataManagement, one: Subscription) -> int:
    try:
        system.cancel(one.reference, reason=one.reason or "it has served")
    except DdmLater as error:
        log.warning("ddm_later", extra={"ddm": one.ddm, "error": str(error)})
        return 0
    except DdmRefused as error:  # it would say so again
        log.warning("ddm_refused", extra={"ddm": one.ddm, "error": str(error)})
    return Subscription.objects.filter(pk=one.pk, reference=one.reference).update(reference="")


def _tell_all(system: DataManagement, path: str, work: Round, now: dt.datetime) -> int:
    """Each wish with news once. A storage element that takes nothing now holds up no other."""
    done, tried, full = 0, set[int](), set[int]()
    while rows := _with_news(path, tried, full):
        for one in rows:
            if work.over:
                return done
            tried.add(one.pk)
            if one.storage_id in full:
                continue
            try:
                done += _tell(system, one, now)
            except DdmLater as error:
                full.add(one.storage_id)
                log.warning("ddm_later", extra={"ddm": path, "error": str(error)})
    return done


def _with_news(path: str, tried: set[int], full: set[int]) -> list[Subscription]:
    rows = Subscription.objects.filter(ddm=path, asked_at=None).exclude(
        Q(state=Subscription.State.GIVEN_UP) | Q(dataset__state=DatasetState.ERASED)
    )
    rows = rows.exclude(pk__in=tried).exclude(storage__in=full)
    return list(rows.select_related("dataset", "storage").order_by("pk")[:BATCH])


def _tell(system: DataManagement, one: Subscription, now: dt.datetime) -> int:
    files = list(File.objects.filter(memberships__dataset=one.dataset_id).order_by("scope", "lfn"))
    scope = scope_of(one.dataset, files)
    try:
        replicas = _where(one.dataset)
        system.register(one.dataset.name, _facts(files), scope=scope, replicas=replicas)
        _learn(system, [file for file in files if (file.scope, file.lfn) not in replicas])
        if one.reference:
            system.set_priority(one.reference, one.priority)
            reference = one.reference
        else:
            reference = system.subscribe(_wish(one, scope))[:64]
    except DdmRefused as error:
        return _refused(one, str(error), now)
    return _told(one, reference, len(files), now)


def _refused(one: Subscription, why: str, now: dt.datetime) -> int:
    log.warning("ddm_refused", extra={"ddm": one.ddm, "error": why})
    give_up(one, reason=f"refused by the data management system: {why}", now=now)
    # what was fulfilled before stays so, and is not told again
    Subscription.objects.filter(pk=one.pk, state=Subscription.State.DONE).update(asked_at=now)
    return 1


def _told(one: Subscription, reference: str, n_files: int, now: dt.datetime) -> int:
    """Unless the dataset or the priority has changed meanwhile: then it is told again.

    Whoever adds a file has touched the row behind it, so that the lock comes before the count.
    """
    with transaction.atomic():
        held = Subscription.objects.select_for_update().filter(pk=one.pk).first()
        if held is None:
            return 0
        same = held.priority == one.priority and (
            File.objects.filter(memberships__dataset=one.dataset_id).count() == n_files
        )
        held.reference = reference
        held.asked_at = now if same else None
        held.save(update_fields=["reference", "asked_at"])
    return 1


def _wish(one: Subscription, scope: str) -> Wish:
    return Wish(
        dataset=one.dataset.name,
        scope=scope,
        storage=one.storage.name_elsewhere,
        owner=one.owner,
        activity=one.activity,
        priority=one.priority,
    )


def _facts(files: Sequence[File]) -> list[NewFile]:
    return [NewFile(f.scope, f.lfn, f.guid, f.size, f.adler32, f.events) for f in files]


def _where(dataset: Dataset) -> dict[Name, list[str]]:
    """The storage elements with a good replica, as the system calls them, by name of the file."""
    rows = Replica.objects.filter(
        file__memberships__dataset=dataset, state=Replica.State.AVAILABLE
    ).select_related("file", "storage")
    found: dict[Name, list[str]] = defaultdict(list)
    for row in rows.order_by("pk"):
        found[row.file.scope, row.file.lfn].append(row.storage.name_elsewhere)
    return found


def _learn(system: DataManagement, files: Sequence[File]) -> None:
    """Files of no place here may have one there: what is known of both sides is noted."""
    keys = {(file.scope, file.lfn): file.pk for file in files[:LOOKED_UP]}
    if not keys:
        return
    found = system.replicas(keys)
    places = {one.name_elsewhere: one.pk for one in StorageElement.objects.all()}
    registry.add_replicas(
        ((keys[name], places[at]) for name, there in found.items() for at in there if at in places),
        now=database_now(),
    )


def scope_of(dataset: Dataset, files: Sequence[File]) -> str:
    """The scope of a dataset elsewhere: its own, else that of its first file, else its project."""
    return dataset.scope or (files[0].scope if files else dataset.name.partition(".")[0][:64])


def _ask_all(system: DataManagement, path: str, work: Round, now: dt.datetime) -> int:
    """Ask about open wishes, those first that were asked about the longest ago."""
    rows = _askable(path).select_related("storage").order_by("asked_at", "pk")
    waiting = list(rows[:BATCH])
    done = 0
    for start in range(0, len(waiting), TOGETHER):
        if work.over:
            break
        asked = {one.reference: one for one in waiting[start : start + TOGETHER]}
        done += _ask(system, path, asked, now)
    return done


def _askable(path: str) -> QuerySet[Subscription]:
    rows = Subscription.objects.filter(ddm=path, state=Subscription.State.OPEN)
    return rows.filter(asked_at__isnull=False).exclude(reference="")


def _ask(
    system: DataManagement, path: str, asked: dict[str, Subscription], now: dt.datetime
) -> int:
    """Record what came; how many files were told.

    What the system had no time for comes first in the next round. The first one has had its turn
    even where the system fails over it: it would stop the others again.
    """
    keys = [one.pk for one in asked.values()]
    _askable(path).filter(pk__in=keys[:1]).update(asked_at=now)
    seen = system.states(list(asked))
    last = max((nr for nr, one in enumerate(asked) if one in seen), default=len(asked) - 1)
    inorder.update(_askable(path).filter(pk__in=keys[: last + 1]), asked_at=now)
    news = [n for ref, what in seen.items() for n in _news(asked[ref], what)]
    for start in range(0, len(news), NEWS):
        record(news[start : start + NEWS], sender=path[-64:], now=database_now())
    for reference, what in seen.items():
        if what.over:
            give_up(asked[reference], reason=what.over, now=database_now())
    return len(news)


def _news(one: Subscription, seen: Seen) -> list[News]:
    """What is told again has the same id, and changes nothing."""
    news = []
    for came in seen.arrived:
        scope, lfn = came.name
        news.append(
            News(
                id=_id(one, f"arrived {scope}:{lfn}"),
                kind="file_arrived",
                storage=one.storage.name,
                scope=scope,
                lfn=lfn,
                size=came.size,
                adler32=came.adler32,
            )
        )
    for (scope, lfn), why in (seen.failed or {}).items():
        news.append(
            News(
                id=_id(one, f"failed {scope}:{lfn} {why}"),
                kind="file_failed",
                storage=one.storage.name,
                scope=scope,
                lfn=lfn,
                reason=why[:400],
            )
        )
    return news


def _id(one: Subscription, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{one.ddm} {one.reference} {what}"))
