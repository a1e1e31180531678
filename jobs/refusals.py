"""What is said of a job that has ended, be it among the live ones still or in the archive."""

from __future__ import annotations

from typing import Any

from jobs.models import AnyJob, JobColumns
from pandasite.base.errors import Conflict, NotThere


def already_final(job: JobColumns, **facts: Any) -> Conflict:
    """The refusal to touch it."""
    return Conflict(f"job {job.pk} is {job.state} already", code="already_final", **facts)


def not_live(panda_id: int) -> Conflict | NotThere:
    """Why there is no live job of that number: it is in the archive, or it never was."""
    job = AnyJob.objects.filter(pk=panda_id).first()
    return NotThere(f"there is no job {panda_id}") if job is None else already_final(job)
