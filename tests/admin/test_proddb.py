"""prodDB in the admin: looked at, and what Bamboo refused is mended and taken again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import Client

from jobs.groups import PRODUCTION_MANAGERS
from jobs.proddb.models import JobDefinition, TaskRequest
from pandasite.base.models import AuditLine
from tests.admin.pages import address, logged_in, staff, text
from tests.bamboo.production import a_cloud, ask, define, definition, request, turn
from tests.builders import create_vo

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


@pytest.fixture
def carol() -> Client:
    """A production manager with the way into the admin."""
    return logged_in(staff("manager", group=PRODUCTION_MANAGERS))


def refused() -> TaskRequest:
    """A request for a VO that nobody knows, as Bamboo has answered it."""
    number = ask(0, vo="nobody")
    turn()
    row = request(number)
    assert row.state == "REFUSED"
    return row


def filled(row: Any, **changes: Any) -> dict[str, Any]:
    """The form of a row as the browser sends it."""
    names = ("name", "owner", "vo", "working_group", "processing_type", "campaign", "priority",
             "cloud", "input_dataset")  # fmt: skip
    return {name: getattr(row, name) for name in names} | {"why": "a slip"} | changes


def deed(client: Client, name: str, *rows: Any) -> Any:
    chosen = [row.pk for row in rows]
    said = {"action": name, "deed": "yes", "reason": "asked for", "_selected_action": chosen}
    return client.post(address(type(rows[0]), "changelist"), said, follow=True)


def test_a_refused_request_is_mended_with_a_reason_and_taken_by_the_next_cycle(
    carol: Client,
) -> None:
    a_cloud()
    row = refused()
    page = address(TaskRequest, "change", row.pk)

    without = carol.post(page, filled(row, vo="atlas", why=""))
    mended = carol.post(page, filled(row, vo="atlas"))
    before, _cycle = request(row.pk), turn()

    assert (without.status_code, mended.status_code) == (200, 302)
    assert (before.state, before.vo, before.reason) == ("TOBEDONE", "atlas", "")
    assert request(row.pk).state == "SUBMITTED"
    line = AuditLine.objects.get(action="proddb_mended")
    assert (line.actor_name, line.reason, line.facts) == ("manager", "a slip", {"vo": "atlas"})


def test_a_refused_definition_is_mended_too(carol: Client) -> None:
    a_cloud()
    number = ask(0)
    row = definition(define(number, events=-5))
    turn()

    answer = carol.post(
        address(JobDefinition, "change", row.pk),
        {
            "name": row.name,
            "transformation": "evgen.py",
            "events": "5",
            "details": "{}",
            "why": "x",
        },
    )
    turn()

    assert answer.status_code == 302
    assert (definition(row.pk).events, definition(row.pk).state) == (5, "SUBMITTED")


def test_what_is_not_refused_has_no_form(carol: Client) -> None:
    create_vo()
    row = request(ask(0))
    page = address(TaskRequest, "change", row.pk)

    assert 'name="_save"' not in carol.get(page).content.decode()
    assert carol.post(page, filled(row, vo="other")).status_code == 403
    assert request(row.pk).vo == "atlas"


def test_a_refused_row_is_wished_for_again_and_another_is_left_alone(carol: Client) -> None:
    row, waiting = refused(), request(ask(0))

    told = text(deed(carol, "wish_again", row, waiting))

    assert request(row.pk).state == "TOBEDONE"
    assert "Refused" in told and "only a refused row is mended" in told
    assert [line.subject for line in AuditLine.objects.filter(action="proddb_again")] == [str(row)]


def test_a_request_is_aborted_and_one_that_has_ended_is_not(carol: Client) -> None:
    ended, row = refused(), request(ask(0))

    told = text(deed(carol, "wish_end", row, ended))
    turn()

    assert request(row.pk).state == "ABORTED"
    assert request(ended.pk).state == "REFUSED"
    assert "it has ended" in told


@pytest.mark.parametrize("page", ["changelist", "change"])
def test_a_page_says_so_when_prod_db_is_away(
    carol: Client, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    def refuse() -> None:
        raise OperationalError("connection to server failed: no route\nwith more lines")

    monkeypatch.setattr(connections["proddb"], "ensure_connection", refuse)
    answer = carol.get(address(TaskRequest, page, *([1] if page == "change" else [])))

    assert answer.status_code == 503
    said = "The production database does not answer: prodDB: connection to server failed: no route"
    assert said in answer.content.decode() and "more lines" not in answer.content.decode()
