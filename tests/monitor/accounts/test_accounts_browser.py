"""Logging in and making a token in a real browser, in both colour schemes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import expect

from jobs.groups import SITE_ADMINS
from pandasite.identity.models import OwnSite
from tests.builders import create_site
from tests.identity.issuer import NAME, issuer
from tests.identity.people import with_role
from tests.monitor.accounts.test_login import LOGIN
from tests.monitor.browsing import Visit

PICTURES = os.environ.get("TEST_PICTURES", "")  # a folder to look at the pages in
PASSWORD = "battery staple"


@pytest.fixture
def sam(site_url: str) -> None:
    """A site admin, so that every part of the pages is there."""
    get_user_model().objects.create_user("sam", password=PASSWORD)
    OwnSite.objects.create(user=with_role(SITE_ADMINS), site=create_site("AGLT2"))


def looked_at(visit: Visit, name: str) -> None:
    assert visit.violations() == []
    if PICTURES:
        visit.page.screenshot(path=Path(PICTURES, f"{name}-{visit.scheme}.png"), full_page=True)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_one_logs_in_makes_a_token_and_ends_it(visit: Visit, sam: None, settings: Any) -> None:
    settings.PANDASITE_ISSUERS = {NAME: issuer("https://iam.example/jwk", login=LOGIN)}
    page = visit.page
    visit.see("/login/?next=/tokens/")
    expect(page.get_by_role("link", name="log in with Example IAM")).to_be_visible()
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill("wrong")
    page.locator("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    looked_at(visit, "login")
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Log in").click()
    page.wait_for_url("**/tokens/")
    expect(page.get_by_text("You have no tokens.")).to_be_visible()
    page.locator(".account summary").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    page.get_by_label("What it is for").fill("my laptop")
    page.get_by_role("button", name="Make the token").click()
    page.wait_for_url("**/tokens/new/")
    token = page.locator("output.secret").inner_text()
    me = Client().get("/rest/v1/me", headers={"Authorization": f"Token {token}"})
    assert me.json()["username"] == "sam"
    looked_at(visit, "made")
    page.locator("main").get_by_role("link", name="My tokens").click()
    page.wait_for_url("**/tokens/")
    expect(page.get_by_role("cell", name="my laptop")).to_be_visible()
    looked_at(visit, "tokens")
    visit.see("/alerts/")
    page.get_by_label("Tell me when").select_option("fails")
    page.get_by_label("More than").fill("20")
    page.get_by_role("button", name="Tell me").click()
    expect(page.get_by_text("more than 20 % of its jobs failed")).to_be_visible()
    looked_at(visit, "alerts")
    visit.see("/sandboxes/")
    looked_at(visit, "sandboxes")
    visit.see("/tokens/")
    page.get_by_role("button", name="End it").click()
    page.wait_for_url("**/tokens/revoke/")
    assert (
        Client().get("/rest/v1/me", headers={"Authorization": f"Token {token}"}).status_code == 401
    )
