"""Subscriptions made anew or opened again, for many datasets in as many statements as for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from datasets.demand import Errand, request_transfers
from datasets.models import Dataset, File, StorageElement, Subscription


def wish(
    datasets: Sequence[Dataset],
    storage: StorageElement,
    missing: Mapping[int, Sequence[File]],
    *,
    columns: Mapping[str, Any],
    now: dt.datetime,
) -> list[Subscription]:
    """The subscriptions, open where a file is missing (by dataset), with transfers for those.

    `columns` are those of new ones.
    """
    mine = Subscription.objects.filter(dataset__in=datasets, storage=storage)
    before = set(mine.values_list("dataset", flat=True))
    new = [
        Subscription(
            dataset=dataset,
            storage=storage,
            created_at=now,
            **columns,
            **_state(bool(missing.get(dataset.pk)), now),
        )
        for dataset in datasets
        if dataset.pk not in before
    ]
    Subscription.objects.bulk_create(new, ignore_conflicts=True)  # somebody else may be as quick
    _reopen(mine, before, {pk for pk, files in missing.items() if files}, now)
    found = {one.dataset_id: one for one in mine.select_related("dataset")}
    _request(found, storage, missing, now)
    return [found[dataset.pk] for dataset in datasets]


def reopened() -> dict[str, Any]:
    """The columns of a subscription that lacks something again."""
    return {"state": Subscription.State.OPEN, "done_at": None, "reason": "", "told_state": ""}


def _state(is_missing: bool, now: dt.datetime) -> dict[str, Any]:
    state = Subscription.State.OPEN if is_missing else Subscription.State.DONE
    done_at = None if is_missing else now
    return {"state": state, "done_at": done_at, "reason": "", "told_state": "", "asked_at": None}


def _reopen(
    mine: QuerySet[Subscription], before: set[int], lacking: set[int], now: dt.datetime
) -> None:
    """Those that were there: a block that got one more file is open again, and so on.

    A DDM elsewhere that has one, whose dataset may have grown, is told again (sync.py).
    """
    if not before:
        return
    there = mine.filter(dataset__in=before)
    for is_missing, which in ((True, before & lacking), (False, before - lacking)):
        now_is = _state(is_missing, now)
        some = there.filter(dataset__in=which)
        some.filter(state=now_is["state"]).exclude(ddm="").update(asked_at=None)
        some.exclude(state=now_is["state"]).update(**now_is)


def _request(
    found: Mapping[int, Subscription],
    storage: StorageElement,
    missing: Mapping[int, Sequence[File]],
    now: dt.datetime,
) -> None:
    """Transfers on the terms of each subscription, which one that was there has kept."""
    errands: dict[Errand, dict[int, File]] = {}
    for pk, files in missing.items():
        one = found[pk]
        errand = Errand(activity=one.activity, priority=one.priority, vo=one.vo)
        errands.setdefault(errand, {}).update((file.pk, file) for file in files)
    for errand, wanted_files in errands.items():
        files = [wanted_files[pk] for pk in sorted(wanted_files)]
        request_transfers(files, storage, now=now, errand=errand)
