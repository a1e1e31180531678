"""The numbers of the dashboard: where they come from, where they lead, what is refused."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from brokerage.services import set_cloud_status, set_site_status
from jobs.models import Task
from monitor.models import Link, LinkBlock
from pandasite.base.models import ServerProcess, SweepRun
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_site,
    create_user,
)
from tests.monitor.tables import rows, tables

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.recent.database_now", lambda: NOW)


@pytest.mark.parametrize(
    "query",
    ["hours=9e9", "hours=-1", "hours=2", "hours=", "kind=x", "page=1000000000", "format=xml"],
)
def test_the_dashboard_refuses_what_it_does_not_know(client: Client, query: str) -> None:
    # when
    answer = client.get(f"/?{query}")
    # then
    if query == "hours=":
        assert answer.status_code == 200
        return
    assert answer.status_code == 400
    assert query in answer.content.decode()


def test_every_number_on_the_dashboard_is_the_length_of_its_list(client: Client) -> None:
    # given jobs of all states in two clouds, some without a place
    states = ("assigned", "activated", "sent", "starting", "running", "holding", "transferring")
    for name in ("US", "FR"):
        site = create_site(cloud=create_cloud(name))
        for n, state in enumerate((*states, "finished", "failed", "cancelled"), start=1):
            for i in range(n):
                create_job(state, site=site, exe_error_code=1 if state == "failed" and i else 0)
    create_job("defined")
    create_job("waiting", cloud=create_cloud("US"))
    # when
    found = tables(client.get("/").content.decode())
    numbers = [row[1:] for name in ("clouds", "cloud-US", "cloud-FR") for row in found[name][1:]]
    # then
    n_links = 0
    for row in numbers:
        for cell in row:
            lists = [link for link in cell.links if link.startswith("/jobs/?")]
            told = [client.get(f"{link}&format=json").json()["count"]["n"] for link in lists]
            if cell in row[-3:]:  # a percentage leads to the jobs that it is made of
                assert all(told)
            elif told:
                assert str(told[0]) == cell.text.split(" / ")[0], lists
            n_links += len(lists)
    assert n_links > 60


def test_a_spreadsheet_of_the_sites_has_the_numbers_of_the_page(client: Client) -> None:
    # given
    site = create_site("AGLT2", cloud=create_cloud("US"))
    create_job("running", site=site)
    # when
    head, line = client.get("/?format=csv").text.splitlines()
    # then
    told = dict(zip(head.split(","), line.split(","), strict=True))
    assert (told["cloud"], told["status"], told["name"]) == ("US", "online", "AGLT2")
    assert (told["running"], told["jobs"], told["finished"]) == ("1", "1", "0")


def test_the_longest_window_is_a_month(client: Client) -> None:
    # given
    site = create_site()
    create_job("finished", site=site, at=after(days=-29))
    # then
    assert client.get("/?hours=720&format=json").json()["total"]["finished"] == 1
    assert client.get("/?hours=168&format=json").json()["total"]["finished"] == 0


def test_active_tasks_are_those_with_jobs_that_have_not_ended(client: Client) -> None:
    # given
    us, fr = create_cloud("US"), create_cloud("FR")
    site, owner = create_site(cloud=us), create_user()
    live, over, new = (
        Task.objects.create(name=name, owner=owner, created_at=NOW) for name in "abc"
    )
    for _ in range(2):
        create_job("finished", site=site, task=live)
        create_job("running", site=site, task=live)
    create_job("failed", site=site, task=over)
    create_job("defined", task=new)
    create_job("running", site=site)
    # when
    told = client.get("/?format=json").json()["active_tasks"]
    # then
    assert told["clouds"] == {"US": 1, fr.name: 0, "not placed yet": 1}
    assert told["as_of"] == "2009-09-17T12:00:00Z"


def test_each_server_is_shown_with_the_age_of_its_last_sign_of_life(client: Client) -> None:
    # given
    process = {"role": "web", "version": "1", "started_at": NOW}
    for host, pid, seen in (("a", 1, 5), ("a", 2, 9), ("b", 1, 300)):
        ServerProcess.objects.create(
            host=host, pid=pid, seen_at=after(seconds=-seen), broker_ms=0.4, **process
        )
    # when
    told = client.get("/?format=json").json()["servers"]
    text = " ".join(client.get("/").text.split())
    # then
    assert [(lamp["name"], lamp["state"]) for lamp in told] == [
        ("web a x 2", "ok"), ("web b", "failed"), ("broker", "ok"), ("Bamboo", "ok"),
        ("logger", "ok"),
    ]  # fmt: skip
    assert "web a x 2 ok <time" in text
    assert "data-age>5 s</time>" in text
    assert "no sign of life from 1 of 1 (process 1), the last 5 min ago" in text


def test_the_links_are_those_of_the_admin(client: Client) -> None:
    # given
    block = LinkBlock.objects.create(title="Shift")
    block.links.create(title="Guide", url="https://wiki.example.org/shift", note="read me")
    # when
    text = client.get("/").text
    # then
    assert 'href="https://wiki.example.org/shift"' in text
    assert client.get("/?format=json").json()["links"] == [
        {
            "title": "Shift",
            "links": [
                {"title": "Guide", "url": "https://wiki.example.org/shift", "note": "read me"}
            ],
        }
    ]


def test_the_plot_of_running_jobs_is_there_when_something_draws_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.views.menu.address", lambda page, **query: f"/{page}?{query}")
    assert 'data-src="/monitor:plot_data?' in client.get("/").text

    monkeypatch.setattr("monitor.views.menu.address", lambda page, **query: "")
    assert "<figure" not in client.get("/").text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "data:x", "https://", "/a b", " /x", "mailto:"]
)
def test_a_link_is_a_page_a_site_or_an_address_to_write_to(url: str) -> None:
    block = LinkBlock.objects.create(title="Shift")
    with pytest.raises(ValidationError):
        Link(block=block, title="x", url=url).full_clean()
    for good in ("/", "/help/shift/#x", "https://a.example/b?c", "mailto:shift@example.org"):
        Link(block=block, title="x", url=good).full_clean()


def test_jobs_without_a_place_have_rows_of_their_own(client: Client) -> None:
    # given
    create_job("defined")
    create_job("waiting", cloud=create_cloud("US"))
    # when
    found = tables(client.get("/").content.decode())
    # then
    assert rows(found["clouds"])["not placed yet"][2].text == "1"
    assert rows(found["cloud-US"])["no site yet"][2].text == "1"
    assert rows(found["clouds"])["all"][2].text == "2"


def test_a_kind_of_jobs_is_shown_alone(client: Client) -> None:
    # given
    site = create_site()
    create_job("running", site=site, prod_source_label="user")
    create_job("running", site=site)
    # then
    assert client.get("/?kind=analysis&format=json").json()["total"]["jobs"] == 1
    assert client.get("/?kind=install&format=json").json()["total"]["jobs"] == 0


def test_the_status_of_a_site_is_shown_at_once_with_author_and_reason(client: Client) -> None:
    # given
    site = create_site("AGLT2", cloud=create_cloud("US"))
    set_site_status(site, "offline", author="alice", reason="disk server burnt", now=NOW)
    # when
    text = " ".join(client.get("/").content.decode().split())
    # then
    assert "AGLT2 is offline since 09-17 12:00 UTC, set by alice: disk server burnt" in text
    told = client.get("/?format=json").json()["clouds"][0]["sites"][0]["status"]
    assert (told["status"], told["by"]) == ("offline", "alice")


def test_the_status_of_a_cloud_is_shown_with_author_and_reason(client: Client) -> None:
    # given
    cloud = create_site(cloud=create_cloud("FR")).cloud
    # when
    set_cloud_status(cloud, "offline", author="alice", reason="tape library moves", now=NOW)
    # then
    text = " ".join(client.get("/").content.decode().split())
    assert "FR is offline since 09-17 12:00 UTC, set by alice: tape library moves" in text


def test_each_machine_that_sweeps_run_on_is_named(client: Client) -> None:
    # given
    for name, host in {"jobs.assign": "b", "jobs.watch": "a", "jobs.wake": "b"}.items():
        SweepRun.objects.create(name=name, ended_at=NOW, last_ok_at=NOW, host=host)
    # when
    text = " ".join(client.get("/").content.decode().split())
    # then
    assert "on a (1), b (2) </span>" in text


def test_sweeps_are_shown_with_the_time_that_they_ended(client: Client) -> None:
    # given
    SweepRun.objects.create(
        name="jobs.assign", started_at=NOW, ended_at=NOW, last_ok_at=NOW, runs=1
    )
    # when
    text = client.get("/").content.decode()
    # then
    assert "data-age>0 s</time>" in text
    assert "jobs.assign: ok, due every" in text
