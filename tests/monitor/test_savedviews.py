"""Saved views: one's own by name, anybody's by address."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from monitor import savedviews
from monitor.models import SavedView
from tests.builders import NOW, create_pilot_account, create_site, create_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client: Client) -> Client:
    client.force_login(create_user("alice"))
    return client


def save(client: Client, name: str, query: str) -> Any:
    return client.post("/jobs/views/save", {"name": name, "query": query})


def test_a_view_is_saved_and_opened_by_anybody(alice: Client) -> None:
    # given
    create_site("AGLT2")
    # when
    answer = save(alice, "  my  failures ", "?state=failed&site=AGLT2&sort=-ended&limit=50")
    view = SavedView.objects.get()
    # then
    assert view.name == "my failures"
    address = f"/jobs/views/{view.pk}/"
    assert answer.headers["Location"] == address
    wanted = "/jobs/?state=failed&site=AGLT2&sort=-ended&limit=50"
    assert Client().get(address).headers["Location"] == wanted
    assert Client().get(f"{address}?format=csv").headers["Location"] == wanted + "&format=csv"
    assert alice.get(wanted).status_code == 200


def test_a_name_is_saved_over_and_belongs_to_one_person(alice: Client) -> None:
    # given
    save(alice, "mine", "state=failed")
    bob = Client()
    bob.force_login(create_user("bob"))
    save(bob, "mine", "state=finished")
    # when
    save(alice, "mine", "state=running")
    # then
    assert {(v.owner.username, v.query) for v in SavedView.objects.all()} == {
        ("alice", "state=running"), ("bob", "state=finished"),
    }  # fmt: skip
    assert "<code>state=running</code>" in (text := alice.get("/jobs/views/").text)
    assert "<code>state=finished</code>" not in text


def test_only_the_owner_deletes_a_view(alice: Client) -> None:
    # given
    view = SavedView.objects.create(owner=create_user("bob"), name="his", saved_at=NOW)
    # then
    assert alice.post(f"/jobs/views/{view.pk}/delete").status_code == 404
    own = SavedView.objects.create(owner=create_user("alice"), name="hers", saved_at=NOW)
    assert alice.post(f"/jobs/views/{own.pk}/delete").headers["Location"] == "/jobs/views/"
    assert SavedView.objects.get() == view
    assert alice.get(f"/jobs/views/{own.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "query", "field"),
    [("", "", "name"), ("x" * 81, "", "name"), ("a\x07b", "", "name"),
     ("x", "state=nonsense", "state"), ("x", "q" * 5000, "query"), ("x", "colour=red", "colour")],
)  # fmt: skip
def test_what_cannot_be_shown_is_not_saved(
    alice: Client, name: str, query: str, field: str
) -> None:
    # when
    answer = save(alice, name, query)
    # then
    assert answer.status_code == 400
    assert field in answer.text.lower()
    assert not SavedView.objects.exists()


def test_one_person_has_so_many_views_at_most(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(savedviews, "MOST", 1)
    save(alice, "one", "")
    # then
    assert save(alice, "two", "").status_code == 413
    assert save(alice, "one", "state=failed").status_code == 302


def test_who_is_nobody_saves_nothing_and_is_sent_to_the_login(client: Client) -> None:
    assert save(client, "x", "").headers["Location"].startswith("/login/")
    client.force_login(create_pilot_account(create_site()).user)
    assert save(client, "x", "").status_code == 403
    assert not SavedView.objects.exists()


def test_another_site_cannot_save_in_ones_name() -> None:
    # given
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(create_user("alice"))
    # then
    assert save(browser, "x", "").status_code == 403
    assert browser.get("/jobs/views/save").status_code == 405


def test_a_list_that_is_known_already_is_sent_again_with_a_new_view(alice: Client) -> None:
    # given
    known = alice.get("/jobs/").headers["ETag"]
    assert alice.get("/jobs/", headers={"If-None-Match": known}).status_code == 304
    # when
    save(alice, "mine", "")
    # then
    assert alice.get("/jobs/", headers={"If-None-Match": known}).status_code == 200
