"""The list of tasks, the task browser, and the page of a task."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_file,
    create_job,
    create_site,
    create_user,
)
from tests.monitor.sums import add_up, create_task, ended
from tests.monitor.tables import tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.production.views.database_now", lambda: NOW)


def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(f"/tasks/?format=json&{query}").json()["rows"]
    return rows


def evgen() -> Any:
    """A task with jobs in each condition, at a site in the US."""
    task, site = create_task(working_group="higgs"), create_site("AGLT2", cloud=create_cloud("US"))
    for _ in range(3):
        ended(task=task, computing_site=site, inputs=[create_file()], cpu_consumption_time=1800)
    ended("failed", task=task, computing_site=site, inputs=[create_file()], pilot_error_code=1099)
    create_job("running", site=site, task=task, inputs=[create_file(), create_file()])
    create_job("activated", site=site, task=task, inputs=[create_file()])
    return task


def test_a_task_is_listed_with_its_progress(client: Client) -> None:
    task = evgen()
    add_up()

    (row,) = listed(client)

    assert (row["task_id"], row["state"], row["cloud"], row["sites"]) == (
        task.pk, "running", "US", 1,
    )  # fmt: skip
    assert (row["jobs"], row["finished"], row["failed"], row["running"]) == (6, 3, 1, 1)
    assert (row["done"], row["failed_pct"]) == (50, 25)
    assert round(row["inputs"]) == 43  # 3 of 7
    assert row["eta"] == 2 * 3600 * 6 / 4


def test_each_filter_finds_what_it_names(client: Client) -> None:
    mine = evgen()
    create_task("user.bob.1", owner=create_user("bob"), created_at=after(days=-50))
    add_up()

    for query in ("user=alice", "status=running", "cloud=US", "group=higgs", "name=EVGEN",
                  "campaign=mc09", "window=24h"):  # fmt: skip
        assert [row["task_id"] for row in listed(client, query)] == [mine.pk], query
    for query in (
        "status=done",
        "user=bob",
        "name=moon",
        "campaign=mc0",
        "type=simul",
        "request=7",
    ):
        assert listed(client, query) == [], query
    assert [row["state"] for row in listed(client, "window=90d&user=bob")] == ["new"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("status=asleep", "one of new, queued, running"),
        ("cloud=XX", "cloud must be one of"),
        ("vo=nobody", "vo must be one of"),
        ("window=soon", "a span from 1h to 365d"),
        ("page=1000000000", "between 1 and 1"),
        ("user=alcie", "user must be the name of a user (nearest: alice), not 'alcie'"),
        ("request=x", "request must be a number from 1 to"),
        ("moon=1", "moon is not a known filter"),
        ("name=" + "x" * 10_000, "at most 255 characters"),
    ],
)
def test_a_bad_filter_is_refused_with_its_value_and_range(
    client: Client, query: str, words: str
) -> None:
    create_user("alice")

    answer = client.get(f"/tasks/?{query}&format=json")

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_an_empty_list_says_what_to_do(client: Client) -> None:
    assert "No task fits. Take a filter away" in client.get("/tasks/?name=moon").text


def test_a_request_has_all_of_its_tasks_however_old(client: Client) -> None:
    old, new = (create_task(name, request_id=77, created_at=after(days=-200)) for name in "ab")
    create_task("c", request_id=78)

    assert [row["task_id"] for row in listed(client, "request=77")] == [new.pk, old.pk]
    text = client.get("/tasks/?request=77&columns=task_id,request").text
    assert "All tasks of request 77, whenever they were made." in text
    assert 'href="/tasks/?request=77"' in text
    (group,) = client.get("/tasks/browser/?by=request&request=77&format=json").json()["rows"]
    assert (group["value"], group["tasks"]) == ("77", 2)
    assert 'href="/tasks/?request=77"' in client.get(f"/tasks/{old.pk}/").text


@pytest.mark.parametrize("sort", ["failed", "-failed", "-sites", "name", "-eta", "cloud", "-jobs"])
def test_a_sorted_list_is_in_order_over_all_its_pages(
    client: Client, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    # given
    monkeypatch.setattr("monitor.sheets.ROWS", 2)
    monkeypatch.setattr("monitor.production.taskrows.ROWS", 2)
    us, fr = (create_site(f"{name}_SITE", cloud=create_cloud(name)) for name in ("US", "FR"))
    for nr in range(5):
        task = create_task(f"mc09.{nr * 7 % 5}")
        for site in (us, fr)[: nr % 3]:
            for state in ("failed", "finished")[: 1 + nr % 2]:
                ended(state, task=task, computing_site=site, hours=-0.1 * nr - 0.5)
            create_job("running", site=site, task=task)
    add_up()
    whole = {row["task_id"]: row for row in listed(client)}
    # when
    name, columns = sort.removeprefix("-"), f"task_id,{sort.removeprefix('-')}"
    shown = [
        client.get(f"/tasks/?sort={sort}&columns={columns}&page={page}").context["sheet"]
        for page in (1, 2, 3)
    ]
    # then
    rows = [row for sheet in shown for row in sheet.shown_rows()]
    assert [row[name] for row in rows] == [whole[row["task_id"]][name] for row in rows]
    values = [row[name] for row in rows]
    ordered = sorted((v for v in values if v is not None), reverse=sort.startswith("-"))
    assert [v for v in values if v is not None] == ordered
    assert {row["task_id"] for row in rows} == {*whole}


def test_the_page_says_how_old_its_numbers_are(client: Client) -> None:
    assert "never yet" in client.get("/tasks/").text


def test_the_browser_groups_tasks_and_leads_to_them(client: Client) -> None:
    evgen()
    create_task("mc09.105002.simul", working_group="top")
    create_task("data09.1.reco")
    add_up()

    rows = client.get("/tasks/browser/?format=json").json()["rows"]
    text = client.get("/tasks/browser/?by=group&status=running").text

    assert [(row["value"], row["tasks"], row["jobs"]) for row in rows] == [
        ("mc09", 2, 6), ("data09", 1, 0),
    ]  # fmt: skip
    assert 'href="/tasks/?status=running&amp;group=higgs"' in text


def test_an_unknown_grouping_is_refused(client: Client) -> None:
    answer = client.get("/tasks/browser/?by=colour&format=json")
    assert (answer.status_code, "campaign, request, group, type" in answer.json()["message"]) == (
        400,
        True,
    )


def test_the_page_of_a_task_has_progress_eta_errors_and_sites(client: Client) -> None:
    task = evgen()
    add_up()

    told = client.get(f"/tasks/{task.pk}/?format=json").json()
    found = tables(client.get(f"/tasks/{task.pk}/").text)

    assert told["state"] == "running"
    assert told["progress"]["inputs"] == 7
    assert told["progress"]["eta_seconds"] == 10_800
    assert texts(found["errors"][1])[:2] == ["pilot:1099", "1"]
    assert found["errors"][1][1].links == [f"/jobs/?task={task.pk}&state=failed&error=pilot%3A1099"]
    assert texts(found["sites"][1]) == ["AGLT2", "1", "1", "3", "1", "25", "1.5"]


def test_the_page_of_a_task_without_jobs_says_so(client: Client) -> None:
    task = create_task()

    text = client.get(f"/tasks/{task.pk}/").text

    assert "no jobs counted yet" in text
    assert 'word-new">new' in text


def test_too_many_tasks_ask_for_a_narrower_search(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.production.tasklist.MOST", 1)
    create_task("a.1"), create_task("a.2")

    answer = client.get("/tasks/?format=json")

    assert answer.status_code == 422
    assert "narrow your search" in answer.json()["message"]
    assert client.get("/tasks/?name=a.1").status_code == 200


def test_failed_jobs_of_a_task_that_only_groups_them_are_tried_again_from_its_page(
    client: Client,
) -> None:
    # given
    task = create_task()
    job = ended("failed", task=task, pilot_error_code=1099)
    ended(task=task)
    add_up()
    client.force_login(task.owner)
    # when
    page = client.get(f"/tasks/{task.pk}/").text
    # then
    where = f"/jobs/act?action=retry&amp;match=task%3D{task.pk}%26state%3Dfailed"
    assert f'href="{where}"' in page and "Kill its jobs" not in page
    asked = client.get(where.replace("&amp;", "&"))
    assert [(line.job, line.ok) for line in asked.context["lines"]] == [(job.pk, True)]
