"""Changing the priority of jobs that wait: who has a higher one is handed to a pilot first."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from jobs.models import Job, PriorityLift
from jobs.refusals import not_live
from jobs.states import QUEUED
from pandasite.base.errors import BadInput, Conflict, field_error

LOWEST, HIGHEST = -100_000, 1_000_000  # as in a submission


def checked_priority(text: str) -> int:
    """The number of a text; BadInput when it is none, or out of range."""
    digits = text.strip().removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 9:
        number = int(text)
        if LOWEST <= number <= HIGHEST:
            return number
    words = f"priority must be a number from {LOWEST} to {HIGHEST}, not '{text[:80]}'"
    limit = {"min": LOWEST, "max": HIGHEST}
    raise BadInput(
        words,
        code="out_of_range",
        fields=[field_error("priority", words, code="out_of_range", **limit)],
    )


def set_priority(panda_id: int, priority: int, *, now: dt.datetime) -> None:
    """Give a job that waits another priority, which the sweep of shares leaves alone from then on.

    Conflict when a pilot has had it.
    """
    waiting = Job.objects.filter(pk=panda_id, state__in=QUEUED)
    with transaction.atomic():
        if waiting.update(current_priority=priority, modification_time=now):
            PriorityLift.objects.update_or_create(
                job_id=panda_id,
                defaults={
                    "own": priority, "given": priority, "by_hand": True, "share": None, "at": now,
                },
            )  # fmt: skip
            return
    job = Job.objects.filter(pk=panda_id).first()
    if job is None:
        raise not_live(panda_id)
    raise Conflict(f"job {panda_id} is {job.state}: it waits no longer", code="not_queued")
