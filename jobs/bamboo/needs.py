"""What task brokerage asks about: tasks that wait for a cloud, and what each cloud is and has."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from django.db import connection
from django.db.models import Count

from brokerage.models import Cloud
from brokerage.policy.tasks import THRESHOLD_GB, CloudOffer, TaskNeeds, Work, group_of
from datasets.models import Dataset, DatasetFile
from jobs import facts
from jobs.models import BambooTask, Task
from jobs.proddb.door import ProdState
from jobs.tasks_engine.states import LIVE, TaskState


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A task without a cloud. `note`: of one whose jobs are defined in prodDB; else None."""

    task: Task
    needs: TaskNeeds
    note: BambooTask | None = None


def candidates(limit: int) -> list[Candidate]:
    """Those of prodDB and those of the engine, the most urgent first."""
    notes = BambooTask.objects.filter(
        state=ProdState.ASSIGNING, abort=False, kind=BambooTask.Kind.DEFINED
    )
    defined = [
        Candidate(task=note.task, needs=_needs_of_note(note), note=note)
        for note in notes.select_related("task").order_by("-priority", "pk")[:limit]
    ]
    waiting = Task.objects.filter(state=TaskState.ASSIGNING).order_by("-priority", "pk")[:limit]
    made = [Candidate(task=task, needs=_needs_of_task(task)) for task in waiting]
    found = sorted([*defined, *made], key=lambda one: (-one.needs.priority, one.task.pk))[:limit]
    files = sizes({one.needs.input_dataset for one in found} - {""})
    return [_sized(one, files.get(one.needs.input_dataset, 0)) for one in found]


def _needs_of_note(note: BambooTask) -> TaskNeeds:
    return TaskNeeds(
        processing_type=note.processing_type,
        priority=note.priority,
        cloud=note.wanted_cloud,
        validation=note.validation or note.processing_type == "validation",
        jobs=note.to_submit,
        input_dataset=note.input_dataset,
    )


def _needs_of_task(task: Task) -> TaskNeeds:
    inputs = task.spec.get("inputs", ())
    per_job = task.spec.get("events_per_job", 0)
    return TaskNeeds(
        processing_type=task.processing_type,
        priority=task.priority,
        validation=task.processing_type == "validation",
        jobs=ceil(task.events / per_job) if per_job else 0,
        input_dataset=inputs[0] if inputs else "",
    )


def sizes(names: set[str]) -> dict[str, int]:
    """How many files are in these datasets."""
    members = DatasetFile.objects.filter(dataset__name__in=names).order_by()
    return dict(members.values_list("dataset__name").annotate(n=Count("pk")))


def _sized(one: Candidate, files: int) -> Candidate:
    return replace(one, needs=replace(one.needs, input_files=files))


_HELD = """
SELECT d.name, r.storage_id, count(*) FROM datasets_dataset d
JOIN datasets_datasetfile m ON m.dataset_id = d.id
JOIN datasets_replica r ON r.file_id = m.file_id AND r.state = 'available'
WHERE d.name = ANY(%s) AND r.storage_id = ANY(%s) GROUP BY 1, 2
"""
# What is to be done of tasks that have their cloud: definitions and open jobs; pieces of the
# engine, and what is not cut yet at the size of those that are.
_WORK = """
SELECT cloud_id, processing_type, priority,
  sum(to_submit + jobs_total - jobs_finished - jobs_failed) FROM jobs_bambootask
WHERE kind = 'defined' AND state IN ('SUBMITTED', 'RUNNING') AND cloud_id IS NOT NULL
GROUP BY 1, 2, 3
UNION ALL
SELECT cloud_id, processing_type, priority, sum(pieces - pieces_done - pieces_failed
  + CASE WHEN events_cut > 0 THEN pieces * greatest(events - events_cut, 0) / events_cut
    ELSE 0 END) FROM jobs_task
WHERE state = ANY(%s) AND state <> 'assigning' AND cloud_id IS NOT NULL GROUP BY 1, 2, 3
"""


@dataclass(kw_only=True)
class Clouds:
    """The clouds of one round, gathered once; they take the tasks that they are given."""

    offers: dict[str, CloudOffer]
    rows: Mapping[str, Cloud]
    storages: Mapping[str, Any]  # of the Tier-1, by cloud
    held: Mapping[str, Mapping[int, int]]  # by dataset, by storage element

    def offers_for(self, needs: TaskNeeds) -> list[CloudOffer]:
        """What each cloud has for this task."""
        held = self.held.get(needs.input_dataset, {})
        return [
            replace(offer, held_files=held.get(self._storage_id(name), 0)) if held else offer
            for name, offer in self.offers.items()
        ]

    def _storage_id(self, cloud: str) -> int:
        storage = self.storages.get(cloud)
        return storage.pk if storage else 0

    def took(self, cloud: str, needs: TaskNeeds) -> None:
        self.offers[cloud] = self.offers[cloud].taking(needs)


def gather(wanted: Iterable[TaskNeeds], *, now: dt.datetime) -> Clouds:
    """The facts of all clouds, in a handful of queries."""
    rows = {cloud.name: cloud for cloud in Cloud.objects.select_related("tier1")}
    known = facts.gather(now)
    work = _work()
    pilots: defaultdict[str, int] = defaultdict(int)
    tier1s = {}
    for offer, _rules in known.grid.places():
        pilots[offer.cloud] += offer.pilots_recent
        tier1s[offer.name] = offer
    storages, offers = {}, {}
    for name, cloud in rows.items():
        tier1 = tier1s.get(cloud.tier1.name) if cloud.tier1 else None
        if tier1 and tier1.name in known.storages:
            storages[name] = known.storages[tier1.name]
        offers[name] = _offer(cloud, tier1, pilots[name], tuple(work[cloud.pk]))
    datasets = {one.input_dataset for one in wanted} - {""}
    return Clouds(offers=offers, rows=rows, storages=storages, held=_held(datasets, storages))


def _offer(cloud: Cloud, tier1: Any, pilots: int, work: tuple[Work, ...]) -> CloudOffer:
    return CloudOffer(
        name=cloud.name,
        status=cloud.status,
        status_reason=cloud.status_reason,
        validation=cloud.validation,
        fasttrack=cloud.fasttrack,
        tier1=tier1.name if tier1 else "",
        free_gb=tier1.free_gb if tier1 else None,
        threshold_gb=tier1.space_threshold_gb if tier1 else THRESHOLD_GB,
        share=cloud.mc_share,
        pilots=pilots,
        work=work,
    )


def _work() -> defaultdict[int, list[Work]]:
    """By cloud: what is still to be done."""
    work: defaultdict[int, list[Work]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_WORK, [[state.value for state in LIVE]])
        for cloud_id, processing_type, priority, n in cursor.fetchall():
            work[cloud_id].append(Work(group_of(processing_type), priority, int(n)))
    return work


def _held(datasets: set[str], storages: Mapping[str, Any]) -> dict[str, dict[int, int]]:
    """How many files of each dataset are at each Tier-1."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    if datasets and storages:
        with connection.cursor() as cursor:
            wanted = [[*datasets], [storage.pk for storage in storages.values()]]
            cursor.execute(_HELD, wanted)
            for name, storage_id, n in cursor.fetchall():
                found[name][storage_id] = n
    return found


def dataset(name: str) -> Dataset | None:
    return Dataset.objects.filter(name=name).first()
