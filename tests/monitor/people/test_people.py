"""Users, usage against quotas, and usage by day."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from jobs.models import UsageQuota
from monitor.people.sums import Used
from tests.builders import NOW, create_job, create_pilot_account, create_site, create_user
from tests.monitor.sums import add_up, create_task, ended
from tests.monitor.tables import tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.people.views.database_now", lambda: NOW)


@pytest.fixture
def work() -> None:
    """Alice and Bob at two sites, today, five and forty days ago."""
    one, two = create_site("AGLT2"), create_site("LPC")
    hour = 3600
    ended(computing_site=one, cpu_consumption_time=hour, working_group="higgs")
    ended("failed", computing_site=two, cpu_consumption_time=hour)
    ended(computing_site=one, hours=-24 * 5, cpu_consumption_time=2 * hour)
    ended(computing_site=one, hours=-24 * 20, cpu_consumption_time=4 * hour)
    ended(computing_site=one, hours=-24 * 40, cpu_consumption_time=8 * hour)
    ended(computing_site=one, prod_user_id="bob", cpu_consumption_time=hour)
    create_job("running", site=two)
    create_job("defined")
    add_up()


def rows(client: Client, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(address).json()["rows"]
    return found


def test_users_are_listed_with_jobs_and_cpu_time(client: Client, work: None) -> None:
    alice, bob = rows(client, "/users/?format=json")

    assert (alice["name"], alice["waiting"], alice["running"]) == ("alice", 1, 1)
    assert (alice["finished"], alice["failed"], alice["failed_pct"]) == (1, 1, 50)
    assert [alice[f"cpu_{days}"] / 3600 for days in (1, 7, 30)] == [2, 4, 8]
    assert (alice["sites"], bob["sites"], bob["cpu_30"]) == (2, 1, 3600)


def test_a_user_is_found_by_a_part_of_his_name(client: Client, work: None) -> None:
    assert [row["name"] for row in rows(client, "/users/?format=json&name=BO")] == ["bob"]


def test_the_numbers_of_a_user_lead_to_his_jobs(client: Client, work: None) -> None:
    text = client.get("/users/").text

    assert 'href="/users/alice/"' in text
    assert 'href="/jobs/?user=alice&amp;state=failed&amp;ended=24h"' in text


def test_the_page_of_a_user_has_days_sites_tasks_and_quota(client: Client, work: None) -> None:
    UsageQuota.objects.create(name="alice", cpu_hours=5, note="until spring")
    task = create_task("higgs.1")

    text = client.get("/users/alice/").text
    found = tables(text)

    assert texts(found["days"][1]) == ["2009-09-17", "1", "1", "0", "2.0"]
    assert found["days"][1][0].links == ["/jobs/?user=alice&ended=2009-09-17..2009-09-18"]
    assert [texts(row) for row in found["sites"][1:]] == [
        ["AGLT2", "0", "3", "0", "7.0"],
        ["LPC", "1", "0", "1", "1.0"],
    ]
    assert texts(found["tasks"][1])[:3] == [str(task.pk), "higgs.1", "new"]
    assert "5 CPU hours in 30 days" in text
    assert 'word-over">over' in text


def test_a_user_whose_name_is_a_distinguished_name_has_a_page(client: Client) -> None:
    name = "/C=UK/O=eScience/CN=jane doe"
    ended(prod_user_id=name)
    add_up()

    (link,) = tables(client.get("/users/").text)[""][1][0].links

    assert client.get(link).status_code == 200


def test_a_user_who_has_sent_nothing_yet_has_a_page_and_a_pilot_has_none(client: Client) -> None:
    create_user("bob")
    create_pilot_account(create_site("AGLT2"))
    pilot = get_user_model().objects.get(pilot_account__isnull=False).username

    assert client.get("/users/bob/").status_code == 200
    assert client.get(f"/users/{pilot}/").status_code == 404


def test_a_user_of_whom_nothing_is_known_has_no_page(client: Client) -> None:
    assert client.get("/users/nobody/").status_code == 404


def test_usage_is_held_against_quotas(client: Client, work: None) -> None:
    UsageQuota.objects.create(name="alice", cpu_hours=5)
    UsageQuota.objects.create(name="bob", cpu_hours=1.2)
    UsageQuota.objects.create(name="carol", cpu_hours=9)

    found = {row["name"]: row for row in rows(client, "/usage/?format=json")}
    text = client.get("/usage/").text

    assert {name: row["verdict"] for name, row in found.items()} == {
        "alice": "over", "bob": "near", "carol": "within",
    }  # fmt: skip
    assert found["alice"]["quota_pct"] == 160
    assert "1 of them used more than their quota." in text


def test_groups_have_quotas_of_their_own(client: Client, work: None) -> None:
    UsageQuota.objects.create(kind="group", name="higgs", cpu_hours=10)

    found = {row["name"]: row for row in rows(client, "/usage/?format=json&kind=group")}

    assert (found["higgs"]["cpu_30"], found["higgs"]["verdict"]) == (3600, "within")


def test_a_quota_of_nothing_is_over_with_the_first_second() -> None:
    used = Used(name="x", cpu={30: 1}, quota=UsageQuota(name="x", cpu_hours=0))
    assert (used.verdict, used.quota_pct) == ("over", None)
    assert Used(name="x", quota=UsageQuota(name="x", cpu_hours=0)).verdict == "within"


def test_daily_usage_is_by_site_user_label_and_group(client: Client, work: None) -> None:
    def first(by: str) -> list[tuple[str, str, int]]:
        told = rows(client, f"/usage/daily/?format=json&by={by}")
        return [(row["day"], row["value"], row["jobs"]) for row in told]

    assert first("site") == [
        ("2009-09-17", "AGLT2", 2), ("2009-09-17", "LPC", 1), ("2009-09-12", "AGLT2", 1),
    ]  # fmt: skip
    assert first("user")[:2] == [("2009-09-17", "alice", 2), ("2009-09-17", "bob", 1)]
    assert first("label")[0] == ("2009-09-17", "managed", 3)
    assert ("2009-09-17", "higgs", 1) in first("group")


def test_daily_usage_is_filtered_and_adds_up(client: Client, work: None) -> None:
    text = client.get("/usage/daily/?site=AGLT2&window=30d&user=alice").text

    days = [texts(row)[0] for row in tables(text)[""][1:]]

    assert days == ["2009-09-17", "2009-09-12", "2009-08-28"]
    assert "7.0" in text  # CPU hours of all


def test_daily_usage_is_there_as_csv(client: Client, work: None) -> None:
    answer = client.get("/usage/daily/?format=csv")

    table = list(csv.DictReader(io.StringIO(answer.text)))

    assert 'filename="daily_usage.csv"' in answer["Content-Disposition"]
    assert (table[0]["day"], table[0]["cpu_s"]) == ("2009-09-17", "7200")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/users/?moon=1", "moon is not a known filter"),
        ("/usage/?kind=all", "one of user, group"),
        ("/usage/daily/?site=MOON", "site must be one of"),
        ("/usage/daily/?label=moon", "label must be one of"),
        ("/usage/daily/?by=moon", "one of user, site, label, group"),
        ("/usage/daily/?user=moon", "user must be the name of a user"),
        ("/usage/daily/?window=999d", "a span from 1h to 365d"),
    ],
)
def test_a_bad_filter_is_refused(client: Client, address: str, words: str) -> None:
    answer = client.get(f"{address}&format=json")

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_too_many_rows_ask_for_a_narrower_search(
    client: Client, work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.people.sums.MOST", 1)
    assert client.get("/usage/daily/").status_code == 422
