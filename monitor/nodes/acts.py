"""Banning a node for a time or for good, and lifting the ban."""

from __future__ import annotations

import datetime as dt

from django.urls import reverse

from brokerage.bans import ban_node, lift_ban
from brokerage.models import BannedNode, Site
from monitor.errors.acting import Done, Order, action
from pandasite.base.errors import NotThere
from pandasite.base.params import refuse

LONGEST_NODE = 128
# Hours that a ban may be for; 0 is for good.
DURATIONS = {6: "6 hours", 24: "1 day", 72: "3 days", 168: "7 days", 720: "30 days", 0: "for good"}


@action("brokerage.add_bannednode", fields=("site", "node", "hours"))
def ban(order: Order) -> Done:
    """Give a node no job from the next claim on."""
    site, node = _node(order)
    hours = int(order.params.choice("hours", map(str, DURATIONS), default="24"))
    until = order.now + dt.timedelta(hours=hours) if hours else None
    made = ban_node(site, node, user=order.user, reason=order.reason, now=order.now, until=until)
    end = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until somebody lifts the ban"
    page = reverse("monitor:node", args=[site.name, node])
    return Done(title=f"{made} gets no jobs {end}", lines=[(f"the page of {made}", page)])


@action("brokerage.delete_bannednode", fields=("site", "node"))
def unban(order: Order) -> Done:
    """Give a node jobs again."""
    site, node = _node(order)
    found = BannedNode.objects.filter(site=site, node=node).select_related("site").first()
    if found is None:
        raise NotThere(f"{node} at {site} is not banned (any more)")
    lift_ban(found, user=order.user, reason=order.reason, now=order.now)
    page = reverse("monitor:node", args=[site.name, node])
    return Done(title=f"{found} gets jobs again", lines=[(f"the page of {found}", page)])


def _node(order: Order) -> tuple[Site, str]:
    params = order.params
    name, node = params.text("site"), params.text("node", longest=LONGEST_NODE)
    site = Site.objects.filter(name=name).first()
    if site is None:
        raise refuse("site", name, "the name of a site that there is", code="unknown_site")
    order.must_be_own(site)
    if not node:
        raise refuse("node", node, f"a name of 1 to {LONGEST_NODE} characters", code="required")
    return site, node
