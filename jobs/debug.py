"""Debug mode: a pilot of PanDA is told, with its next answers, to send more of the job's output.

Our own pilots send the tail of the output with each beat, always, and need no telling.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction

from jobs.models import DebugMode
from pandasite.base import audit

ON, OFF = "debug", "debugoff"  # PanDA's words for it
DAYS = 30  # no job is at work for so long


def set_mode(panda_id: int, *, on: bool, user: User, reason: str, now: dt.datetime) -> None:
    """From now on, with an audit line."""
    with transaction.atomic():
        keep_mode(panda_id, on=on, user=user, now=now)
        audit.record(
            actor=user,
            action="job_debug",
            subject=f"job {panda_id}",
            reason=reason,
            now=now,
            facts={"on": on},
        )


def keep_mode(panda_id: int, *, on: bool, user: User, now: dt.datetime) -> None:
    """From now on, for who writes the audit line himself."""
    mode = {"on": on, "set_by": user.get_username(), "set_at": now}
    DebugMode.objects.update_or_create(panda_id=panda_id, defaults=mode)


def mode_of(panda_id: int) -> DebugMode | None:
    """What was said last of this job; None: nothing."""
    return DebugMode.objects.filter(panda_id=panda_id).first()


def orders(panda_ids: Iterable[int]) -> dict[int, str]:
    """What the pilots of these jobs are told about it; most are told nothing."""
    modes = DebugMode.objects.filter(panda_id__in=list(panda_ids))
    return {panda_id: ON if on else OFF for panda_id, on in modes.values_list("panda_id", "on")}


def forget(now: dt.datetime) -> int:
    """Modes of jobs of long ago."""
    deleted, _ = DebugMode.objects.filter(set_at__lt=now - dt.timedelta(days=DAYS)).delete()
    return deleted
