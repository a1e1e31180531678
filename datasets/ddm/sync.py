"""Talk with data management systems elsewhere: what is wished for, and what became of it.

Our tables have every wish (a subscription with the system's name) and every file that is under way
(transfers with the carrier `ddm`), so that pages and sweeps see no difference. Here the system is
told, and asked. No transaction is open while it answers; each verb of it may be repeated.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Sequence
from functools import partial

from django.db.models import F

from datasets.ddm import choice
from datasets.ddm.contract import DataManagement, DdmError, DdmRefused, Seen, Wish
from datasets.ddm.news import News, record
from datasets.models import Dataset, File, Subscription
from datasets.registry import NewFile
from datasets.subscriptions import give_up
from pandasite.base.clock import database_now
from pandasite.base.rounds import Round

log = logging.getLogger(__name__)

BATCH = 200  # wishes told, and asked about, per round and system
SECONDS = 30.0
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
            system.cancel(one.reference, reason=one.reason or "it has served")
            Subscription.objects.filter(pk=one.pk).update(reference="")
            done += 1
        for one in _new(path):
            if work.over:
                return done
            done += _tell(system, one, now)
        done += _ask(system, path, now)
    except DdmError as error:
        log.warning("ddm_unavailable", extra={"ddm": path, "error": str(error)})
    return done


def _ended(path: str) -> list[Subscription]:
    """Given up here, and still wished for there."""
    rows = Subscription.objects.filter(ddm=path, state=Subscription.State.GIVEN_UP)
    return list(rows.exclude(reference="").order_by("pk")[:BATCH])


def _new(path: str) -> list[Subscription]:
    rows = Subscription.objects.filter(ddm=path, state=Subscription.State.OPEN, reference="")
    return list(rows.select_related("dataset", "storage").order_by("pk")[:BATCH])


def _tell(system: DataManagement, one: Subscription, now: dt.datetime) -> int:
    files = list(File.objects.filter(memberships__dataset=one.dataset_id).order_by("scope", "lfn"))
    wish = Wish(
        dataset=one.dataset.name,
        storage=one.storage.name,
        owner=one.owner,
        activity=one.activity,
        priority=one.priority,
    )
    try:
        system.register(one.dataset.name, _facts(files), scope=scope_of(one.dataset, files))
        reference = system.subscribe(wish)
    except DdmRefused as error:
        give_up(one, reason=f"refused by the data management system: {error}", now=now)
        return 1
    mine = Subscription.objects.filter(pk=one.pk)
    return mine.update(reference=reference[:64], asked_at=now)


def _facts(files: Sequence[File]) -> list[NewFile]:
    return [NewFile(f.scope, f.lfn, f.guid, f.size, f.adler32, f.events) for f in files]


def scope_of(dataset: Dataset, files: Sequence[File]) -> str:
    """The scope of a dataset elsewhere: its own, else that of its first file, else its project."""
    return dataset.scope or (files[0].scope if files else dataset.name.partition(".")[0][:64])


def _ask(system: DataManagement, path: str, now: dt.datetime) -> int:
    """Ask about open wishes and record what came; how many files and ends were told."""
    rows = Subscription.objects.filter(ddm=path, state=Subscription.State.OPEN)
    rows = rows.exclude(reference="").select_related("storage")
    rows = rows.order_by(F("asked_at").asc(nulls_first=True))
    asked = {one.reference: one for one in rows[:BATCH]}
    if not asked:
        return 0
    for reference, one in asked.items():
        if one.asked_at is None:  # its priority has changed
            system.set_priority(reference, one.priority)
    seen = system.states(list(asked))
    Subscription.objects.filter(pk__in=[one.pk for one in asked.values()]).update(asked_at=now)
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
