"""Free space of storage elements, as brokerage and the pages read it."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from datasets.models import Replica, StorageElement


def measure_storage(*, now: dt.datetime) -> int:
    """Set free space = declared capacity - registered bytes, with the time; returns rows set."""
    measured = 0
    good = Q(replicas__state=Replica.State.AVAILABLE)
    used_by = StorageElement.objects.annotate(
        used=Coalesce(Sum("replicas__file__size", filter=good), 0)
    ).values_list("pk", "capacity_bytes", "used")
    for pk, capacity, used in used_by:
        measured += StorageElement.objects.filter(pk=pk).update(
            free_bytes=max(0, capacity - int(used)), measured_at=now
        )
    return measured
