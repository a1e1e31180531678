"""What production writes: for the demo, replays and tests. Others use SQL (docs/proddb.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction

from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.proddb.router import ALIAS
from jobs.proddb.session import translated
from jobs.proddb.states import FINAL, ProdState

CHUNK = 2000  # rows of a statement


@dataclass(frozen=True, kw_only=True)
class NewDefinition:
    """A job to be done; `details` in the words of a submission over REST."""

    name: str
    transformation: str
    parameters: str = ""
    events: int | None = None
    priority: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NewRequest:
    """A task to be done: with `parameters` by the tasks engine, else of job definitions."""

    name: str
    owner: str
    vo: str
    working_group: str = ""
    processing_type: str = ""
    campaign: str = ""
    parent_id: int | None = None
    priority: int = 500
    cloud: str = ""
    input_dataset: str = ""
    validation: bool = False
    parameters: Any = None


def ask_for(
    request: NewRequest, definitions: Sequence[NewDefinition] = (), *, now: dt.datetime
) -> int:
    """Write a request with its definitions; its number. One of that name and owner is kept."""
    with translated(), transaction.atomic(using=ALIAS):
        known = TaskRequest.objects.filter(owner=request.owner, name=request.name).first()
        if known is not None:
            return known.request_id
        row = TaskRequest.objects.create(**asdict(request), created_at=now)
        JobDefinition.objects.bulk_create(
            [JobDefinition(request_id=row.request_id, **asdict(one)) for one in definitions],
            batch_size=CHUNK,
        )
        return row.request_id


def wish_abort(*, request_id: int) -> bool:
    """Production wants a task ended; False when it has ended, or is not there."""
    with translated():
        rows = TaskRequest.objects.filter(request_id=request_id).exclude(state__in=FINAL)
        return bool(rows.update(state=ProdState.TOBEABORTED))
