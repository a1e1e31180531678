"""Which clouds a task could be given to, for who is about to ask for one; writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from brokerage.policy.clouds import choose_cloud
from brokerage.policy.tasks import TaskNeeds
from jobs.bamboo.needs import gather, sizes
from jobs.tasks_engine.spec import TaskSpec


class Chance(NamedTuple):
    """What a cloud says of a task. `percent` of the draw; None: it would not be given it."""

    cloud: str
    percent: float | None
    reason: str


def chances(spec: TaskSpec, *, jobs: int, now: dt.datetime) -> Sequence[Chance]:
    """What the next cycle would say of this task, cloud by cloud; those with a chance first."""
    dataset = spec.inputs[0] if spec.inputs else ""
    needs = TaskNeeds(
        processing_type=spec.processing_type,
        priority=spec.priority,
        validation=spec.processing_type == "validation",
        jobs=jobs,
        input_dataset=dataset,
        input_files=sizes({dataset} - {""}).get(dataset, 0),
    )
    offers = gather([needs], now=now).offers_for(needs)
    verdicts = choose_cloud(needs, offers, Random(0)).verdicts
    whole = sum(verdict.weight for verdict in verdicts)
    said = [
        Chance(v.cloud, 100 * v.weight / whole if v.accepted and whole else None, v.reason)
        for v in verdicts
    ]
    return sorted(said, key=lambda one: (one.percent is None, -(one.percent or 0), one.cloud))
