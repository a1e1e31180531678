"""The documents as pages: each is there, and every link among them leads to something."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from monitor.help import documents
from monitor.models import LinkBlock
from pandasite.demo.links import load_links

pytestmark = pytest.mark.django_db


def test_every_document_is_a_page(client: Client) -> None:
    assert documents.names()[0] == "shift"
    for document in documents.every():
        page = client.get(document.url)
        assert page.status_code == 200
        assert f"<h1>{document.title}</h1>" in page.text
        assert client.get(document.url + "?format=json").json()["text"] == document.source


def test_every_link_of_a_document_leads_to_a_page_and_a_heading(client: Client) -> None:
    found = 0
    for document in documents.every():
        article = client.get(document.url).text.partition("<article")[2].partition("</article>")[0]
        for address in re.findall(r'href="([^"]+)"', article):
            page, _, part = address.partition("#")
            found += 1
            if not page.startswith("http"):
                text = client.get(page or document.url).text
                assert not part or f'id="{part}"' in text, (document.name, address)
    assert found > 5


def test_the_first_page_of_help_lists_them_and_explains_states_and_columns(client: Client) -> None:
    text = client.get("/help/").text
    assert all(document.url in text for document in documents.every())
    assert "all input is at the site, waits for a pilot" in text
    assert client.get("/help/?format=json").json()["documents"][0]["name"] == "shift"


@pytest.mark.parametrize("address", ["/help/moon/", "/help/..%2FREADME/", "/help/shift/?x=1"])
def test_what_is_not_there_is_refused(client: Client, address: str) -> None:
    assert client.get(address).status_code == (400 if "?" in address else 404)


def test_without_the_documents_the_page_says_where_they_are(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    settings.BASE_DIR = tmp_path
    assert "folder docs of the sources" in client.get("/help/").text


def test_the_links_of_the_demo_lead_to_our_documents_and_stay_as_they_were_changed(
    client: Client,
) -> None:
    # when
    load_links()
    LinkBlock.objects.get(title="Shift").links.filter(title="Calendar").delete()
    load_links()
    # then
    (shift, *_) = LinkBlock.objects.all()
    assert [link.title for link in shift.links.all()] == [
        "Shift guide", "Checklist", "Mailing list",
    ]  # fmt: skip
    for block in LinkBlock.objects.all():
        for link in block.links.all():
            page, _, part = link.url.partition("#")
            text = client.get(page).text
            assert not part or f'id="{part}"' in text
            assert link.url in client.get("/").text
