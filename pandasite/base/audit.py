"""Entries of the audit log: who did what to which thing, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser, User

from pandasite.base.models import AuditLine


def record(
    *,
    actor: User | AnonymousUser | str,
    action: str,
    subject: str,
    reason: str,
    now: dt.datetime,
    facts: Mapping[str, Any] | None = None,
) -> AuditLine:
    """Add a line, in the transaction of the deed itself. `facts` must be fit for JSON.

    An actor that is no user, such as a command, is given by its name.
    """
    return AuditLine.objects.create(
        at=now,
        actor=actor if isinstance(actor, User) else None,
        actor_name=actor if isinstance(actor, str) else actor.get_username(),
        action=action,
        subject=subject[:255],
        reason=reason,
        facts=dict(facts or {}),
    )
