"""The menu: every name leads to a page."""

from __future__ import annotations

import pytest
from django.test import Client

from monitor import menu
from monitor.menu import Entry

pytestmark = pytest.mark.django_db

ENTRIES = [entry for section in menu.SECTIONS for entry in section.entries]
THERE = sorted({entry.url for entry in ENTRIES if menu.leads_somewhere(entry)})


@pytest.mark.parametrize("address", THERE)
def test_every_entry_leads_to_a_working_page(address: str, admin_client: Client) -> None:
    assert admin_client.get(address).status_code == 200


def test_an_entry_without_a_page_is_left_out() -> None:
    assert not menu.leads_somewhere(Entry(title="Moon", page="monitor:moon"))


def test_the_menu_stands_on_every_page(admin_client: Client) -> None:
    text = admin_client.get("/jobs/").text

    for section in menu.sections():
        assert section.title.replace("&", "&amp;") in text
    assert 'aria-current="page">Jobs' in text
