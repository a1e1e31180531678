"""Clouds: their numbers are those of the dashboard and of the lists behind them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import strip_tags

from brokerage.services import set_cloud_status, set_site_status
from datasets.models import GB
from tests.builders import (
    NOW,
    create_cloud,
    create_job,
    create_pilot,
    create_site,
    create_storage,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.recent.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)


def test_a_cloud_is_summed_up_and_its_numbers_lead_to_their_lists(client: Client) -> None:
    # given
    cloud = create_cloud("US")
    sites = [create_site(name, cloud=cloud, with_storage=False) for name in ("A", "B")]
    create_storage("SE", sites=sites, free_bytes=700 * GB, measured_at=NOW)
    set_site_status(sites[1], "offline", author="alice", reason="moved", now=NOW)
    create_pilot(sites[0])
    for state, n in {
        "activated": 4,
        "assigned": 2,
        "running": 3,
        "finished": 3,
        "failed": 1,
    }.items():
        for _ in range(n):
            create_job(state, site=sites[0])
    # when
    (row,) = client.get("/clouds/?format=json").json()["rows"]
    page = client.get("/clouds/").text
    # then
    assert (row["sites"], row["online"], row["pilots"]) == (2, 1, 1)
    assert (row["queued"], row["running"], row["per_running"]) == (6, 3, 2.0)
    assert (row["finished"], row["failed"], row["failed_pct"]) == (3, 1, 25)
    assert row["free_gb"] == 700.0  # both sites share it
    for query, n in (("state=running", 3), ("state=failed&ended=12h", 1)):
        url = f"/jobs/?cloud=US&{query}"
        assert url.replace("&", "&amp;") in page
        assert client.get(f"{url}&format=json").json()["count"]["n"] == n


def test_the_window_and_the_kind_are_in_the_address(client: Client) -> None:
    site = create_site(cloud=create_cloud("US"))
    create_job("running", site=site, prod_source_label="user")
    (row,) = client.get("/clouds/?kind=analysis&hours=720&format=json").json()["rows"]
    assert row["running"] == 1
    (row,) = client.get("/clouds/?kind=production&format=json").json()["rows"]
    assert row["running"] == 0
    assert "/jobs/?cloud=US" not in client.get("/clouds/?kind=production").text


def test_without_clouds_the_page_says_what_to_do(client: Client) -> None:
    assert "make them in the admin" in client.get("/clouds/").text


def test_the_page_of_a_cloud_tells_who_set_it_offline_and_what_is_wrong_in_it(
    client: Client,
) -> None:
    # given
    us, fr = create_cloud("US"), create_cloud("FR")
    off = create_site("AGLT2", cloud=us)
    set_site_status(off, "offline", author="bob", reason="power cut", now=NOW)
    other = create_site("LPC", cloud=fr)
    set_site_status(other, "offline", author="bob", reason="moved", now=NOW)
    set_cloud_status(us, "offline", author="alice", reason="tape library moves", now=NOW)
    # when
    told = client.get("/clouds/US/?format=json").json()
    page = " ".join(client.get("/clouds/US/").text.split())
    # then
    assert told["history"] == [
        {"at": "2009-09-17T12:00:00Z", "by": "alice", "reason": "tape library moves",
         "from": "online", "to": "offline"}
    ]  # fmt: skip
    assert {item["subject"] for item in told["attention"]} == {"US", "AGLT2"}
    assert "US is offline since" in strip_tags(page)
    assert "LPC" not in page


def test_the_sites_of_a_cloud_can_be_taken_along(client: Client) -> None:
    create_job("running", site=create_site("AGLT2", cloud=create_cloud("US")))
    head, line = client.get("/clouds/US/?format=csv").text.splitlines()
    assert dict(zip(head.split(","), line.split(","), strict=True))["running"] == "1"


def test_a_cloud_that_is_not_there_is_not_found(client: Client) -> None:
    answer = client.get("/clouds/MOON/")
    assert answer.status_code == 404
    assert "There is no cloud MOON" in answer.text


@pytest.mark.parametrize("query", ["hours=5", "kind=moon", "page=1000000000", "sort=moon", "x=1"])
def test_what_the_list_does_not_know_is_refused(client: Client, query: str) -> None:
    create_cloud("US")
    answer = client.get(f"/clouds/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text
