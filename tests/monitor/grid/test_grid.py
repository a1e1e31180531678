"""Pilots, factories, sites: lists and pages."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client

from brokerage.models import Downtime, Site
from brokerage.services import set_site_status
from jobs.models import AnswerCount, AnswerDelta, JobEvent, JobOutput
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_pilot,
    create_site,
    create_vo,
    put_away,
)
from tests.monitor.sums import add_up, ended
from tests.monitor.tables import tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.grid.views.database_now", lambda: NOW)


def rows(client: Client, address: str) -> list[dict[str, Any]]:
    answer = client.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def answer(site: Site, outcome: str, n: int, *, hours: int = 0) -> None:
    AnswerCount.objects.create(site_id=site.pk, outcome=outcome, hour=after(hours=hours), n=n)


# Pilots


def test_pilots_are_listed_and_lead_to_their_pages(client: Client) -> None:
    site = create_site("AGLT2")
    create_pilot(site, pilot_id="p7", node="wn07", factory="f1", claims=3, jobs=1)

    (row,) = rows(client, "/pilots/")
    (_head, shown) = tables(client.get("/pilots/").text)[""]

    assert (row["pilot_id"], row["site"], row["claims"], row["jobs"]) == ("p7", "AGLT2", 3, 1)
    assert shown[0].links == ["/pilots/AGLT2/p7/"]
    assert client.get(shown[0].links[0]).status_code == 200


def test_each_filter_of_the_pilots_finds_what_it_names(client: Client) -> None:
    one, two = create_site("AGLT2"), create_site("LPC")
    create_pilot(one, pilot_id="p1", node="wn01", factory="f1", jobs=1)
    create_pilot(two, pilot_id="p2", node="wn02", factory="f2", last_contact=after(hours=-9))

    for query, found in (
        ("site=LPC", ["p2"]), ("node=wn01", ["p1"]), ("factory=f2", ["p2"]), ("job=no", ["p2"]),
        ("job=yes", ["p1"]), ("window=3h", ["p1"]), ("site=LPC&window=3h", []),
    ):  # fmt: skip
        assert [row["pilot_id"] for row in rows(client, f"/pilots/?{query}")] == found, query


def test_without_a_site_only_the_latest_pilots_are_looked_at(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.grid.pilotlist.LOOKED_AT", 2)
    site = create_site("AGLT2")
    for nr in range(4):
        create_pilot(site, pilot_id=f"p{nr}", node="wn01")

    assert [row["pilot_id"] for row in rows(client, "/pilots/?node=wn01")] == ["p3", "p2"]
    assert len(rows(client, "/pilots/?site=AGLT2")) == 4
    assert "the latest 2 pilots to appear" in client.get("/pilots/").text


def test_the_page_of_a_pilot_has_all_its_jobs_live_and_ended(client: Client) -> None:
    site = create_site("AGLT2")
    pilot = create_pilot(site, pilot_id="grid/p 7", factory="f1")
    old = ended("failed", computing_site=site, pilot=pilot, exe_error_code=65)
    put_away()
    live = create_job("running", site=site, pilot=pilot)
    create_job("running", site=site)

    answer_ = client.get("/pilots/AGLT2/grid/p%207/?format=json").json()
    text = client.get("/pilots/AGLT2/grid/p%207/").text

    assert [row["panda_id"] for row in answer_["rows"]] == [live.pk, old.pk]
    assert answer_["factory"] == "f1"
    assert "exe:65" in text


def test_the_page_of_a_pilot_shows_what_its_job_says_and_how_often_it_got_none(
    client: Client,
) -> None:
    # given
    site = create_site("AGLT2")
    pilot = create_pilot(site, pilot_id="p7", claims=8, jobs=2)
    live = create_job("running", site=site, pilot=pilot, node="wn7")
    create_job("finished", site=site, pilot=pilot)
    JobEvent.objects.filter(job=live).update(to_state="sent", reason={"node": "wn7", "pilot": "p7"})
    JobOutput.objects.create(job=live, attempt_nr=1, tail="event <2>", at=NOW)
    # when
    told, text = (client.get(f"/pilots/AGLT2/p7/{form}") for form in ("?format=json", ""))
    # then
    assert told.json()["no_job_percent"] == 75
    assert told.json()["output"] == {
        "job": live.pk, "live": True, "stdout_tail": "event <2>", "at": "2009-09-17T12:00:00Z",
    }  # fmt: skip
    assert "event &lt;2&gt;" in text.text and "75 % without a job" in text.text
    page = client.get(f"/jobs/{live.pk}/").text
    assert 'href="/pilots/AGLT2/p7/"' in page and 'href="/nodes/AGLT2/wn7/"' in page


def test_a_pilot_that_never_called_has_no_page(client: Client) -> None:
    create_site("AGLT2")
    assert client.get("/pilots/AGLT2/p7/").status_code == 404


def test_answers_are_counted_by_site_and_outcome(client: Client) -> None:
    one, two = create_site("AGLT2"), create_site("LPC")
    answer(one, "job", 30), answer(one, "no_job", 10), answer(two, "site_full", 5)
    AnswerDelta.objects.create(site_id=one.pk, outcome="job", hour=NOW, n=10)
    answer(one, "job", 99, hours=-30)

    first, second = rows(client, "/pilots/answers/")

    assert (first["name"], first["total"], first["job"], first["no_job"]) == ("AGLT2", 50, 40, 10)
    assert (first["no_job_pct"], second["no_job_pct"], second["site_full"]) == (20, 100, 5)


def test_answers_have_a_plot_by_the_hour(client: Client) -> None:
    site = create_site("AGLT2")
    answer(site, "job", 3), answer(site, "no_job", 2, hours=-1), answer(create_site(), "job", 9)

    data = client.get("/pilots/answers/data?site=AGLT2&window=2h").json()

    assert len(data["x"]) == 3
    assert data["x"][-1] == int(NOW.timestamp())
    assert data["series"] == [
        {"name": "job", "values": [0, 0, 3]}, {"name": "no_job", "values": [0, 2, 0]},
    ]  # fmt: skip


# Factories


def test_factories_have_pilots_calls_jobs_and_sites(client: Client) -> None:
    one, two = create_site("AGLT2"), create_site("LPC")
    create_pilot(one, factory="f1", claims=4, jobs=3)
    create_pilot(two, factory="f1", claims=2, last_contact=after(hours=-5))
    create_pilot(one, claims=1)
    add_up()

    first, second = rows(client, "/autopilot/")

    assert (first["name"], first["pilots"], first["lately"]) == ("f1", 2, 1)
    assert (first["calls"], first["jobs"], first["idle_pct"], first["where"]) == (
        6, 3, 50, "AGLT2, LPC",
    )  # fmt: skip
    assert second["name"] == "(unnamed)"


def test_each_site_says_how_many_pilots_it_could_use(client: Client) -> None:
    site = create_site("AGLT2", slots=3)
    for _ in range(5):
        create_job("activated", site=site)
    create_job("running", site=site)
    idle = create_site("LPC")
    create_pilot(idle)
    answer(idle, "no_job", 7)

    found = {row["name"]: row for row in rows(client, "/autopilot/?by=site")}

    wanted = found["AGLT2"]
    assert (wanted["wanted"], wanted["limit"], wanted["activated"]) == (2, "slots", 5)
    assert wanted["calls"] == "jobs wait, no pilot calls"
    assert (found["LPC"]["calls"], found["LPC"]["pilots"]) == ("pilots call for nothing", 1)


# Sites


def grid() -> Site:
    site = create_site("AGLT2", cloud=create_cloud("US"), tier=2, vos=[create_vo("atlas")])
    create_site("CNAF", cloud=create_cloud("IT"), tier=1, type="production", flavour="EGEE")
    set_site_status(site, "offline", author="alice", reason="power cut", now=NOW)
    Downtime.objects.create(
        site=site, start=after(hours=-1), end=after(hours=6), description="new cooling",
        link="https://example.org/42", author="olga",
    )  # fmt: skip
    return site


def test_sites_are_listed_with_status_reason_author_and_downtime(client: Client) -> None:
    site = grid()
    create_job("activated", site=site)
    ended("failed", computing_site=site)

    found = {row["name"]: row for row in rows(client, "/sites/")}
    text = client.get("/sites/").text

    row = found["AGLT2"]
    assert (row["status"], row["status_by"], row["status_reason"]) == (
        "offline", "alice", "power cut",
    )  # fmt: skip
    assert row["downtime_words"] == "outage until 09-17 18:00 UTC: new cooling"
    assert (row["activated"], row["failed"], row["failed_pct"], row["vos"]) == (1, 1, 100, "atlas")
    assert "1 site of these are not online." not in text
    assert "1 site of these is not online." in text


def test_a_file_of_the_sites_has_all_parameters(client: Client) -> None:
    grid()

    table = list(csv.DictReader(io.StringIO(client.get("/sites/?format=csv").text)))

    assert [row["name"] for row in table] == ["CNAF", "AGLT2"]
    assert {"flavour", "memory", "wall_seconds", "max_core_count"} <= table[0].keys()


def test_each_filter_of_the_sites_finds_what_it_names(client: Client) -> None:
    grid()

    for query, found in (
        ("cloud=US", ["AGLT2"]), ("status=offline", ["AGLT2"]), ("type=production", ["CNAF"]),
        ("tier=1", ["CNAF"]), ("flavour=EGEE", ["CNAF"]), ("vo=atlas", ["AGLT2"]),
        ("name=naf", ["CNAF"]), ("cloud=US&tier=1", []),
    ):  # fmt: skip
        assert [row["name"] for row in rows(client, f"/sites/?{query}")] == found, query


def test_the_page_of_a_site_has_downtimes_answers_and_demand(client: Client) -> None:
    site = grid()
    answer(site, "site_offline", 3)

    text = client.get("/sites/AGLT2/").text
    found = tables(text)
    told = client.get("/sites/AGLT2/?format=json").json()

    assert texts(found["downtimes"][1])[2:] == ["outage", "new cooling more", "olga"]
    assert found["downtimes"][1][3].links == ["https://example.org/42"]
    assert "until <time" in text
    assert told["answers"] == {"site_offline": 3}
    assert told["pilots_wanted"] == {"n": 0, "limit": "site is offline"}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/sites/?cloud=XX", "cloud must be one of"),
        ("/sites/?status=asleep", "one of online, offline"),
        ("/sites/?tier=99", "between 0 and 9"),
        ("/pilots/?site=MOON", "site must be one of"),
        ("/pilots/?job=maybe", "one of yes, no"),
        ("/pilots/answers/?window=x", "a span from 1h to 31d"),
        ("/pilots/answers/?window=32d", "a span from 1h to 31d"),
        ("/pilots/answers/data?moon=1", "moon is not a known filter"),
        ("/autopilot/?by=moon", "one of factory, site"),
        ("/autopilot/?page=99", "between 1 and 1"),
    ],
)
def test_a_bad_filter_is_refused(client: Client, address: str, words: str) -> None:
    answer_ = client.get(f"{address}&format=json")

    assert answer_.status_code == 400
    assert words in answer_.json()["message"]
