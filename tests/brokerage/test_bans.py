"""Bans of worker nodes: for a time or for good, lifted by somebody or by their end."""

from __future__ import annotations

import pytest

from brokerage import bans
from brokerage.models import BannedNode
from jobs.closing import housekeep
from pandasite.base.errors import BadInput, Conflict, NotThere
from pandasite.base.models import AuditLine
from tests.builders import NOW, after, create_site, create_user

pytestmark = pytest.mark.django_db


def ban(node: str = "wn13", **more: object) -> BannedNode:
    site = BannedNode.objects.first()
    return bans.ban_node(
        site.site if site else create_site("AGLT2"),
        node,
        **{"user": create_user("olga"), "reason": "black hole", "now": NOW} | more,
    )


def test_a_ban_ends_by_itself_and_the_end_is_booked() -> None:
    # given
    ban("wn13", until=after(hours=1))
    ban("wn14", until=after(hours=3))
    ban("wn15")
    # when
    housekeep(after(hours=2))
    # then
    assert sorted(BannedNode.objects.values_list("node", flat=True)) == ["wn14", "wn15"]
    line = AuditLine.objects.get(action="lift_ban")
    assert (line.actor_name, line.subject) == (bans.EXPIRY, "wn13 at AGLT2")
    assert line.reason == "over since 2009-09-17 13:00 UTC"
    assert line.facts["banned_for"] == "black hole"


def test_a_ban_is_in_force_until_its_end() -> None:
    ban(until=after(hours=1))

    assert BannedNode.objects.in_force(after(minutes=59)).exists()
    assert not BannedNode.objects.in_force(after(hours=1)).exists()


def test_a_ban_that_is_over_can_be_followed_by_another() -> None:
    ban(until=after(hours=1))
    with pytest.raises(Conflict, match="banned already: black hole"):
        ban(now=after(minutes=30))

    ban(now=after(hours=1), reason="again")

    assert BannedNode.objects.get().reason == "again"


def test_a_ban_that_is_over_when_it_begins_is_refused() -> None:
    with pytest.raises(BadInput, match="after 2009-09-17 12:00:00 UTC, not '2009-09-17T12:00:00"):
        ban(until=NOW)


def test_a_ban_is_lifted_once() -> None:
    made = ban()
    bans.lift_ban(made, user=create_user("olga"), reason="repaired", now=NOW)

    with pytest.raises(NotThere, match="not banned any more"):
        bans.lift_ban(made, user=create_user("olga"), reason="repaired", now=NOW)
