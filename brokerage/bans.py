"""Worker nodes that get no job: who banned them, why and for how long, and the way back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from brokerage.models import BannedNode, Site
from pandasite.base import audit
from pandasite.base.errors import BadInput, Conflict, NotThere, field_error

EXPIRY = "end of a ban"  # the actor of a ban that is over


def ban_node(
    site: Site,
    node: str,
    *,
    user: Any,
    reason: str,
    now: dt.datetime,
    until: dt.datetime | None = None,
) -> BannedNode:
    """Give the node no job from the next claim on, and again `until` then (None: until lifted).

    Conflict when it is banned already; a ban that is over is replaced.
    """
    if until is not None and until <= now:
        words = f"until must be after {now:%Y-%m-%d %H:%M:%S} UTC, not '{until.isoformat()}'"
        raise BadInput(words, code="bad_time", fields=[field_error("until", words)])
    with transaction.atomic():
        BannedNode.objects.filter(site=site, node=node, until__lte=now).delete()
        ban, made = BannedNode.objects.get_or_create(
            site=site,
            node=node,
            defaults={"reason": reason, "author": user, "at": now, "until": until},
        )
        if not made:
            raise Conflict(f"{ban} is banned already: {ban.reason}", code="already_banned")
        audit.record(
            actor=user,
            action="ban_node",
            subject=str(ban),
            reason=reason,
            now=now,
            facts={"until": until.isoformat() if until else None},
        )
    return ban


def lift_ban(ban: BannedNode, *, user: Any, reason: str, now: dt.datetime) -> None:
    """Give the node jobs again; NotThere when somebody else has lifted the ban.

    `user` is a user, or the name of what lifts it.
    """
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


def lift_expired(now: dt.datetime) -> int:
    """Clear the bans that are over, of which no claim has taken notice since; how many."""
    lifted = 0
    for ban in BannedNode.objects.filter(until__lte=now).select_related("site").order_by("pk"):
        why = f"over since {ban.until:%Y-%m-%d %H:%M} UTC"
        try:
            lift_ban(ban, user=EXPIRY, reason=why, now=now)
        except NotThere:  # somebody was quicker
            continue
        lifted += 1
    return lifted
