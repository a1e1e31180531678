"""The configuration: read by everybody, edited by those who may, no secret in it."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client

from jobs.models import ErrorCode
from monitor.operations.configuration import PARTS
from tests.builders import create_cloud, create_site, create_user, install

pytestmark = pytest.mark.django_db


def rows(client: Client, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/configuration/?what={what}&format=json").json()[
        "rows"
    ]
    return found


@pytest.mark.parametrize("what", sorted(PARTS))
def test_each_part_is_a_table_as_page_json_and_csv(client: Client, what: str) -> None:
    # given
    site = create_site("AGLT2", cloud=create_cloud("US"), releases=[("Atlas-14.5.0", "x86")])
    # when
    page = client.get(f"/configuration/?what={what}")
    told = rows(client, what)
    lines = list(
        csv.reader(client.get(f"/configuration/?what={what}&format=csv").text.splitlines())
    )
    # then
    assert page.status_code == 200
    assert told
    assert len(lines) == len(told) + 1
    assert site.name in client.get("/configuration/?what=sites").text


def test_the_overview_counts_what_there_is(client: Client) -> None:
    create_site("AGLT2")
    told = {
        row["title"]: row["entries"]
        for row in client.get("/configuration/?format=json").json()["rows"]
    }
    assert told["Sites"] == told["Clouds"] == told["Storage elements"] == 1
    assert told["Error codes"] == ErrorCode.objects.count()


def test_a_release_is_counted_by_the_sites_that_have_it(client: Client) -> None:
    install(create_site("A"), "Atlas-14.5.0", "x86")
    install(create_site("B"), "Atlas-14.5.0", "x86", validated=False)
    (row,) = rows(client, "releases")
    assert (row["name"], row["sites"], row["validated"]) == ("Atlas-14.5.0", 2, 1)


def test_no_secret_and_no_address_of_a_storage_is_shown(client: Client) -> None:
    create_site("AGLT2")
    shown = "".join(
        client.get(f"/configuration/?what={what}&format={form}").text
        for what in PARTS
        for form in ("html", "json", "csv")
    )
    password = settings.DATABASES["default"].get("PASSWORD")
    assert settings.SECRET_KEY not in shown
    assert not password or password not in shown
    assert settings.CELERY_BROKER_URL not in shown
    assert "file:///nowhere" not in shown


def test_the_settings_are_those_of_this_process(client: Client) -> None:
    told = {row["name"]: row for row in rows(client, "settings")}
    assert told["PANDASITE_LEASE_SECONDS"]["value"] == settings.PANDASITE["LEASE_SECONDS"]
    assert told["PANDASITE_LEASE_SECONDS"]["unit"] == "seconds"


def test_the_way_to_the_admin_is_shown_to_those_who_may(client: Client) -> None:
    # given
    admin = "/admin/brokerage/site/"
    assert admin not in client.get("/configuration/?what=sites").text
    user = create_user("admin")
    user.is_staff = True
    user.save()
    client.force_login(user)
    assert admin not in client.get("/configuration/?what=sites").text
    # when
    user.user_permissions.add(Permission.objects.get(codename="view_site"))
    # then
    assert admin in client.get("/configuration/?what=sites").text
    assert admin in client.get("/configuration/").text
    assert "/admin/brokerage/cloud/" not in client.get("/configuration/").text


@pytest.mark.parametrize(
    "query", ["what=moon", "what=sites&sort=moon", "what=sites&columns=x", "page=1000000000", "x=1"]
)
def test_what_the_page_does_not_know_is_refused(client: Client, query: str) -> None:
    answer = client.get(f"/configuration/?{query}")
    assert answer.status_code == 400
    assert query.rpartition("&")[2].partition("=")[0] in answer.text
