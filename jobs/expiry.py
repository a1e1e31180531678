"""Datasets whose lifetime is over: erased, with the replicas that nobody else needs.

A job that has not ended keeps its datasets and files, whatever their lifetime. What is erased has
no `expires_at` any more: there is nothing left to do.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.db.models import Exists, OuterRef

from datasets import life
from datasets.models import Dataset, DatasetFile, Replica, Transfer
from datasets.states import DatasetState
from jobs.models import JobFile
from jobs.states import LIVE
from pandasite.base.errors import IllegalMove
from pandasite.base.rounds import Round

DATASETS = 100  # per round
REPLICAS = 500  # of a dataset, per round
SECONDS = 20.0

BY_LIFETIME = (Dataset.Type.INPUT, Dataset.Type.DESTINATION, Dataset.Type.CONTAINER)


def run(now: dt.datetime) -> int:
    """One round; how many datasets and replicas it erased."""
    work, away = Round(seconds=SECONDS), set[int]()
    over = Dataset.objects.filter(expires_at__lte=now, type__in=BY_LIFETIME).order_by("expires_at")
    needed = JobFile.objects.filter(dataset=OuterRef("pk"), job__state__in=LIVE)
    due = over.exclude(state=DatasetState.ERASED).filter(~Exists(needed))
    for dataset in due[:DATASETS]:
        work.do(f"dataset {dataset.name}", partial(_expire, dataset, now))
    for dataset in over.filter(state=DatasetState.ERASED)[:DATASETS]:
        if work.over:
            break
        work.do(f"replicas of {dataset.name}", partial(_erase, dataset, away))
    return work.end()


def _expire(dataset: Dataset, now: dt.datetime) -> int:
    try:
        life.expire(dataset, now=now)
    except IllegalMove:
        return 0  # another run of this sweep was faster
    return 1


def _erase(dataset: Dataset, away: set[int]) -> int:
    """Erase what nobody needs; once its files have no replica left, the dataset is done with.

    Those that other datasets need do not count.
    """
    own = Replica.objects.filter(~Exists(_OTHERS), file__memberships__dataset=dataset)
    idle = own.filter(~Exists(_JOBS), ~Exists(_COMING)).exclude(storage__in=away)
    keys = list(idle.order_by("pk").values_list("pk", flat=True)[:REPLICAS])
    erased = life.erase(keys, away=away)
    if not own.exists():
        Dataset.objects.filter(pk=dataset.pk, state=DatasetState.ERASED).update(expires_at=None)
    return erased


_OTHERS = DatasetFile.objects.filter(file=OuterRef("file")).exclude(
    dataset__state=DatasetState.ERASED
)
_JOBS = JobFile.objects.filter(file=OuterRef("file"), job__state__in=LIVE)
_COMING = Transfer.objects.active().filter(file=OuterRef("file"))
