"""What all pages share: who reads, which forms, what is not changed, and what is refused."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

import monitor.urls  # noqa: F401  # brings all views, so that the clock of each stands
from tests.builders import (
    NOW,
    create_dataset,
    create_job,
    create_pilot_account,
    create_site,
    create_user,
)
from tests.monitor.addresses import one_of_each_page

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in [*sys.modules.items()]:  # all that the addresses have brought
        if name.startswith("monitor.") and hasattr(module, "database_now"):
            monkeypatch.setattr(module, "database_now", lambda: NOW)


@pytest.fixture
def addresses(db: None) -> list[str]:
    return one_of_each_page()


def test_every_page_is_there_as_html_and_as_json(client: Client, addresses: list[str]) -> None:
    for address in addresses:
        page, told = client.get(address), client.get(address, {"format": "json"})
        assert page.status_code == told.status_code == 200, address
        assert page.headers["Content-Type"].startswith("text/html")
        assert told.json()["as_of"] == "2009-09-17T12:00:00Z"


def test_a_closed_monitor_sends_people_to_the_login_and_programs_away(
    client: Client, addresses: list[str], settings: Any
) -> None:
    # given
    settings.PANDASITE_MONITOR_PUBLIC = False
    for address in addresses:
        # when
        page, told = client.get(address), client.get(address, {"format": "json"})
        # then
        assert page.status_code == 302
        assert page.headers["Location"].startswith("/login/?next=/")
        assert told.status_code == 401
        assert told.json()["code"] == "not_authenticated"


def test_a_closed_monitor_is_open_to_who_has_logged_in(
    client: Client, addresses: list[str], settings: Any
) -> None:
    # given
    settings.PANDASITE_MONITOR_PUBLIC = False
    client.force_login(create_user("shifter"))
    # then
    assert {client.get(address).status_code for address in addresses} == {200}


def test_a_closed_monitor_lets_in_who_is_no_staff_and_out_again(
    client: Client, settings: Any
) -> None:
    # given
    settings.PANDASITE_MONITOR_PUBLIC = False
    get_user_model().objects.create_user("alice", password="o0oo0oO0o")
    # when
    wrong = client.post("/login/", {"username": "alice", "password": "x", "next": "/jobs/"})
    right = client.post("/login/", {"username": "alice", "password": "o0oo0oO0o", "next": "/jobs/"})
    # then
    assert (wrong.status_code, right.status_code) == (200, 302)
    assert right.headers["Location"] == "/jobs/"
    assert client.get("/jobs/").status_code == 200
    assert client.post("/logout/").headers["Location"] == "/"
    assert client.get("/jobs/").status_code == 302


def test_pilots_read_no_pages(client: Client, addresses: list[str]) -> None:
    # given
    client.force_login(create_pilot_account(create_site()).user)
    # then
    assert {client.get(address).status_code for address in addresses} == {403}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_pages_are_only_for_reading(client: Client, addresses: list[str], method: str) -> None:
    assert {getattr(client, method)(address).status_code for address in addresses} == {405}


def test_what_is_asked_by_htmx_is_a_fragment_with_a_title(
    client: Client, addresses: list[str]
) -> None:
    # when
    text = client.get("/", headers={"HX-Request": "true"}).content.decode()
    # then
    assert "<html" not in text
    assert re.search(r"<title>[^<]+ · pandasite</title>", text)


def test_an_answer_that_is_known_already_is_not_sent_again(
    client: Client, addresses: list[str]
) -> None:
    for form in ({}, {"HX-Request": "true"}):
        # given
        first = client.get("/", headers=form)
        # when
        again = client.get("/", headers={**form, "If-None-Match": first.headers["ETag"]})
        # then
        assert (again.status_code, again.content) == (304, b"")
        assert "HX-Request" in first.headers["Vary"]
        assert "no-cache" in first.headers["Cache-Control"]


def test_a_new_job_makes_a_new_answer(client: Client, addresses: list[str]) -> None:
    # given
    first = client.get("/")
    create_job("running", site=create_site())
    # when
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    # then
    assert again.status_code == 200


def test_a_page_and_its_fragment_are_told_apart(client: Client, addresses: list[str]) -> None:
    fragment = client.get("/", headers={"HX-Request": "true"})
    page = client.get("/", headers={"If-None-Match": fragment.headers["ETag"]})
    assert page.status_code == 200


def test_every_page_forbids_scripts_and_styles_of_others_and_inline_ones(
    client: Client, addresses: list[str]
) -> None:
    for address in addresses:
        # when
        answer = client.get(address)
        # then
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        text = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), address
        assert not re.search(r"<style|\sstyle=|\son\w+=", text), address


def test_no_page_asks_another_host(client: Client, addresses: list[str]) -> None:
    for address in addresses:
        text = client.get(address).content.decode()
        assert not re.search(r'(src|href)="(https?:)?//', text), address


@pytest.mark.parametrize(
    "address",
    [
        "/jobs/99/",
        "/jobs/999999999999999999/",
        "/jobs/99/log",
        "/sites/NOWHERE/",
        "/tasks/99/",
        "/datasets/none/",
    ],
)
def test_what_is_not_there_is_a_404_in_the_frame_and_in_json(client: Client, address: str) -> None:
    page = client.get(address)
    assert page.status_code == 404
    assert "Skip to the content" in page.content.decode()
    if not address.endswith("log"):
        assert client.get(address, {"format": "json"}).json()["code"] == "not_found"


@pytest.mark.parametrize("address", ["/jobs/abc/", "/jobs/-1/", "/jobs/9999999999999999999/"])
def test_what_cannot_be_a_panda_id_is_no_address(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_a_query_of_ten_thousand_characters_is_refused_shortly(client: Client) -> None:
    usual = client.get("/jobs/?state=x")
    answer = client.get("/jobs/?site=" + "x" * 10_000)
    assert answer.status_code == 400
    assert len(answer.content) < len(usual.content) + 1000


def test_an_unknown_filter_is_refused_with_the_known_ones_on_every_page(
    client: Client, addresses: list[str]
) -> None:
    for address in addresses:
        refused = client.get(address, {"colour": "red", "format": "json"})
        page = client.get(address, {"colour": "red"})

        assert (refused.status_code, page.status_code) == (400, 400), address
        assert refused.json()["code"] == "unknown_filter"
        (fault,) = refused.json()["fields"]
        assert (fault["field"], fault["value"]) == ("colour", "red")
        assert "format" in fault["limit"]["values"]


@pytest.mark.parametrize("form", ["xml", "JSON", "x" * 10_000])
def test_a_form_that_there_is_not_is_refused_on_every_page(
    client: Client, addresses: list[str], form: str
) -> None:
    for address in addresses:
        answer = client.get(address, {"format": form})

        assert answer.status_code == 400, address
        text = answer.content.decode()
        assert "one of html, json" in text and form[:80] in text


@pytest.mark.parametrize("after", ["0", "-1", "ten", "1.5", str(2**63), "9" * 5000])
def test_the_files_of_a_dataset_start_behind_a_number(client: Client, after: str) -> None:
    create_dataset("mc09.evgen")

    answer = client.get("/datasets/mc09.evgen/", {"after": after})

    assert answer.status_code == 400
    assert "from 1 to 9223372036854775807" in (text := answer.content.decode()) or (
        "between 1 and 9223372036854775807" in text
    )


def test_behind_the_last_file_of_a_dataset_there_is_nothing(client: Client) -> None:
    create_dataset("mc09.evgen")

    for after in (1, 2**63 - 1):
        assert client.get("/datasets/mc09.evgen/", {"after": after}).status_code == 404


def test_the_head_of_a_page_is_answered_without_a_body(
    client: Client, addresses: list[str]
) -> None:
    assert client.head("/").status_code == 200


def test_a_long_list_is_asked_with_few_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    # given
    site = create_site()
    for _ in range(30):
        create_job("failed", site=site, pilot_error_code=1099)
    # then
    with django_assert_max_num_queries(8):
        client.get("/jobs/")
    with django_assert_max_num_queries(19):
        client.get("/")


def test_a_user_without_pilot_account_is_named_in_the_frame() -> None:
    # given
    client = Client()
    client.force_login(get_user_model().objects.create_user("shifter", is_staff=True))
    # then
    text = client.get("/").text
    assert '<summary title="shifter">shifter</summary>' in text
    for address in ("/jobs/?user=shifter", "/tasks/?user=shifter", "/tokens/"):
        assert f'<a href="{address}">My ' in text


def test_an_unknown_address_is_told_in_the_frame_and_to_programs_in_json(client: Client) -> None:
    page = client.get("/nowhere")
    told = client.get("/rest/v1/nowhere", headers={"Accept": "text/html"})

    assert page.status_code == told.status_code == 404
    assert "There is nothing here." in page.content.decode()
    assert 'aria-label="Pages"' in page.content.decode()
    assert told.headers["Content-Type"] == "application/problem+json"
