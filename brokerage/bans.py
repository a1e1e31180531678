"""Worker nodes that get no job: who banned them and why, and the way back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from brokerage.models import BannedNode, Site
from pandasite.base import audit
from pandasite.base.errors import Conflict, NotThere


def ban_node(site: Site, node: str, *, user: Any, reason: str, now: dt.datetime) -> BannedNode:
    """Give the node no job from the next claim on; Conflict when it is banned already."""
    with transaction.atomic():
        ban, made = BannedNode.objects.get_or_create(
            site=site, node=node, defaults={"reason": reason, "author": user, "at": now}
        )
        if not made:
            raise Conflict(f"{ban} is banned already: {ban.reason}", code="already_banned")
        audit.record(actor=user, action="ban_node", subject=str(ban), reason=reason, now=now)
    return ban


def lift_ban(ban: BannedNode, *, user: Any, reason: str, now: dt.datetime) -> None:
    """Give the node jobs again; NotThere when somebody else has lifted the ban."""
    with transaction.atomic():
        gone, _by_model = BannedNode.objects.filter(pk=ban.pk).delete()
        if not gone:
            raise NotThere(f"{ban} is not banned any more")
        audit.record(
            actor=user,
            action="lift_ban",
            subject=str(ban),
            reason=reason,
            now=now,
            facts={"banned_for": ban.reason, "banned_at": ban.at.isoformat()},
        )
