"""Dispatch blocks: the `_dis` datasets that bring jobs the input which their site lacks."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence

from django.db.models import Exists, OuterRef

from datasets import services as data
from datasets.models import Dataset, File, Replica, StorageElement
from datasets.states import DatasetState
from datasets.subscriptions import subscribe
from jobs.labels import is_analysis
from jobs.models import Job, JobFile


def missing_inputs(keys: Collection[int], storage: StorageElement | None) -> dict[int, File]:
    """Those of the files (by key) without a good replica at the storage element."""
    there = Replica.objects.filter(
        file=OuterRef("pk"), storage=storage, state=Replica.State.AVAILABLE
    )
    return {f.pk: f for f in File.objects.filter(pk__in=keys).filter(~Exists(there))}


def dispatch_block(
    jobs: Sequence[Job],
    lacking: Sequence[int],
    missing: dict[int, File],
    storage: StorageElement,
    now: dt.datetime,
) -> Dataset:
    """The `_dis` dataset of a bunch: frozen at once, and subscribed to the site's storage.

    `lacking` are the PandaIDs of the bunch that read files of `missing`.
    """
    first = next(job for job in jobs if job.pk == lacking[0])
    name = f"panda.{_datatype(first)}.{first.task_id or 0}.{uuid.uuid4()}_dis{first.pk}"
    block = data.new_dataset(name, type=Dataset.Type.DISPATCH, now=now, destination=storage)
    data.add_files(block, missing.values())
    data.set_dataset_state(block, DatasetState.FROZEN, now=now)
    JobFile.objects.filter(job__in=lacking, type=JobFile.Type.INPUT, file__in=list(missing)).update(
        block=block
    )
    subscribe(block, storage, activity=_activity(first), now=now)
    return block


def _datatype(job: Job) -> str:
    """The second-last field of the input dataset's name, when it is short enough to be one."""
    fields = job.prod_d_block.split(".")
    word = fields[-2] if len(fields) > 1 else ""
    return word if 0 < len(word) <= 10 else "Unknown"


def _activity(job: Job) -> str:
    return "analysis" if is_analysis(job.prod_source_label) else "production"
