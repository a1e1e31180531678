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
    [line] = record_all(
        actor=actor, action=action, subjects={subject: facts or {}}, reason=reason, now=now
    )
    return line


def record_all(
    *,
    actor: User | AnonymousUser | str,
    action: str,
    subjects: Mapping[str, Mapping[str, Any]],
    reason: str,
    now: dt.datetime,
) -> list[AuditLine]:
    """A line for each subject, with the facts of it, in one statement."""
    return AuditLine.objects.bulk_create(
        AuditLine(
            at=now,
            actor=actor if isinstance(actor, User) else None,
            actor_name=actor if isinstance(actor, str) else actor.get_username(),
            action=action,
            subject=subject[:255],
            reason=reason,
            facts=dict(facts),
        )
        for subject, facts in subjects.items()
    )
