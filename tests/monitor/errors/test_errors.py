"""The pages of errors: what they count, how they are narrowed down, where they lead."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoDbBlocker

from jobs.models import AnyJob, EndDelta
from tests.builders import NOW, after, create_job, put_away
from tests.monitor.errors.grid import Grid, make_grid
from tests.monitor.tables import Table, rows, tables, texts
from tests.shared import made_once

pytestmark = pytest.mark.django_db
PAGES = (
    "/errors/", "/errors/messages/", "/errors/matrix/", "/errors/sites/", "/errors/grids/",
    "/errors/grids/OSG/",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.errors.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Grid]:
    with made_once(make_grid, django_db_blocker) as grid:
        yield grid


@pytest.fixture
def grid(made: Grid, db: None) -> Grid:
    return made


def table(client: Client, address: str, name: str) -> Table:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:2000]
    return tables(answer.text)[name]


def errors(client: Client, **query: str) -> dict[str, Any]:
    answer = client.get("/errors/", {**query, "format": "json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def codes(client: Client, **query: str) -> dict[str, int]:
    return {f"{r['type']} {r['description']}": r["count"] for r in errors(client, **query)["rows"]}


# -- the summary -----------------------------------------------------------------------------------


def test_the_summary_counts_each_error_with_its_cost(client: Client, grid: Grid) -> None:
    table_ = table(client, "/errors/", "Errors")

    assert [texts(row)[:7] for row in table_[1:]] == [
        ["jobDispatcherErrorCode (3)", "3", "0.0", "09-17 11:00", "100: lost heartbeat", "18.8",
         "panda"],
        ["no error code (1)", "1", "0.0", "09-17 11:00", "0: failed, and nobody said why", "6.3",
         "other"],
        ["pilotErrorCode (12)", "12", "6.0", "09-17 11:00", "1137: Failed to stage-out file",
         "75.0", "ddm"],
    ]  # fmt: skip


def test_the_losses_are_shares_of_all_wall_time(client: Client, grid: Grid) -> None:
    told = errors(client)

    assert told["wall_time_hours"] == 57.0  # each of them ran for an hour
    assert told["losses"]["ddm"] == {"cpu_hours": 6.0, "percent": 10.5, "jobs": 12}
    assert told["losses"]["trans"] == {"cpu_hours": 0.0, "percent": 0.0, "jobs": 0}
    assert told["all"]["finished"] == 41
    assert told["all"]["failed"] == 16
    assert told["all"]["failed_percent"] == 28.1
    assert told["all"]["running"] == 1


def test_the_page_says_at_once_what_costs_most_and_where(client: Client, grid: Grid) -> None:
    text = " ".join(client.get("/errors/").text.split())

    assert "<strong>28.1 % failed.</strong>" in text
    assert "<code>pilot:1137</code></a> Failed to stage-out file: 12 jobs, 6.0 CPU-hours, " in text
    assert '100 % of them at <a href="/sites/BNL/">BNL</a>' in text


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ({"kind": "analysis"}, 3),
        ({"kind": "production"}, 13),
        ({"label": "user"}, 3),
        ({"label": "user", "kind": "production"}, 0),
        ({"cloud": "FR"}, 4),
        ({"site": "BNL"}, 12),
        ({"grid": "OSG"}, 12),
        ({"grid": "ARC"}, 0),
        ({"ce": "bnl.gov"}, 12),
        ({"site": "LYON", "ce": "bnl.gov"}, 0),
        ({"error": "pilot"}, 12),
        ({"error": "pilot:1137"}, 12),
        ({"error": "none"}, 1),
        ({"hours": "1"}, 16),
        ({"period": "today"}, 16),
        ({"period": "yesterday"}, 0),
        ({"period": "2009-09-17T11:00..2009-09-17T12:00"}, 16),
        ({"period": "2009-09-17T11:30..2009-09-17T11:40"}, 16),
        ({"period": "2009-09-17T00:00..2009-09-17T11:00"}, 0),
        ({"period": "3d"}, 16),
    ],
)
def test_filters_and_windows_narrow_it_down(
    client: Client, grid: Grid, query: dict[str, str], n: int
) -> None:
    assert sum(codes(client, **query).values()) == n


def test_what_ended_just_now_is_there_and_what_is_archived_too(client: Client, grid: Grid) -> None:
    create_job("failed", site=grid.bnl, at=NOW, exe_error_code=65)
    assert EndDelta.objects.exists()
    put_away()

    assert codes(client)["exeErrorCode 65: Unknown error code"] == 1


def test_each_number_is_that_of_the_list_behind_it(client: Client, grid: Grid) -> None:
    create_job("failed", site=grid.bnl, at=after(hours=-25), pilot_error_code=1137)
    put_away()
    page = client.get("/errors/", {"site": "BNL", "kind": "production"}).text

    (row,) = tables(page)["Errors"][1:]
    listed = client.get(row[1].links[0], {"format": "json"})
    listed = client.get(f"{row[1].links[0]}&format=json").json()
    assert str(listed["count"]["n"]) == row[1].text == "12"
    for cell, head in zip(*reversed(tables(page)["All jobs by state"]), strict=True):
        if cell.links:
            listed = client.get(f"{cell.links[0]}&format=json").json()
            assert str(listed["count"]["n"]) == cell.text.split()[0], head.text


def test_a_long_window_begins_at_midnight_and_its_list_too(client: Client, grid: Grid) -> None:
    create_job("failed", site=grid.lyon, at=dt.datetime(2009, 9, 14, 0, 30, tzinfo=dt.UTC),
               ddm_error_code=200)  # fmt: skip
    page = client.get("/errors/", {"hours": "72", "error": "ddm:200"}).text

    (row,) = tables(page)["Errors"][1:]
    assert row[1].text == "1"
    assert client.get(f"{row[1].links[0]}&format=json").json()["count"]["n"] == 1
    assert 'title="2009-09-14' in page or "09-14 00:00" in page


def test_the_table_is_csv_too_and_is_sorted_by_its_address(client: Client, grid: Grid) -> None:
    text = client.get("/errors/", {"format": "csv", "sort": "-count"}).content.decode()

    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["count"] for line in lines] == ["12", "3", "1"]
    assert lines[0]["type"] == "pilotErrorCode"


# -- sites and grids -------------------------------------------------------------------------------


def test_computing_elements_are_the_domains_of_nodes(client: Client, grid: Grid) -> None:
    create_job("failed", site=grid.bnl, at=NOW, node="wn9.other.gov", pilot_error_code=1099)
    shown = table(client, "/errors/sites/", "Sites")

    assert [texts(row)[:6] for row in shown[1:]] == [
        ["BNL", "bnl.gov", "OSG", "40", "12", "! 23.1"],
        ["LYON", "in2p3.fr", "EGEE", "1", "4", "! 80.0"],
        ["BNL", "other.gov", "OSG", "0", "1", "100.0"],
    ]
    assert texts(shown[2])[8].startswith("job_dispatcher:100 3 lost heartbeat")
    narrowed = client.get(f"{shown[1][0].links[0]}&format=json").json()
    assert narrowed["all"]["failed"] == 12


def test_sites_of_one_error_count_those_that_carry_it(client: Client, grid: Grid) -> None:
    shown = table(client, "/errors/sites/?error=job_dispatcher:100", "Sites")

    assert [(row[0].text, row[4].text) for row in shown[1:]] == [("LYON", "3")]
    assert client.get(f"{shown[1][4].links[0]}&format=json").json()["count"]["n"] == 3


def test_each_grid_has_a_line_and_a_report(client: Client, grid: Grid) -> None:
    shown = rows(table(client, "/errors/grids/?hours=3", "Grids"))
    assert texts(shown["OSG"])[1:5] == ["1", "40", "12", "23.1"]
    assert texts(shown["ARC"])[1:5] == ["0", "0", "0", ""]

    report = client.get("/errors/grids/OSG/", {"period": "today"})
    assert "Report of OSG, today" in " ".join(report.text.split())
    assert [row[0].text for row in tables(report.text)["Sites"][1:]] == ["BNL"]
    assert texts(tables(report.text)["errors"][1])[1] == "12"
    told = client.get("/errors/grids/OSG/", {"period": "today", "format": "json"}).json()
    assert told["all"]["failed"] == 12


def test_grids_are_csv_too(client: Client, grid: Grid) -> None:
    lines = client.get("/errors/grids/?format=csv").content.decode().splitlines()
    assert lines[0].startswith("grid,sites,finished,failed,failed_percent,wall_hours,trans_cpu")
    assert lines[1].startswith("OSG,1,40,12,23.1,52.0,0.0")


def test_a_grid_that_there_is_not_is_told(client: Client) -> None:
    answer = client.get("/errors/grids/NORDU/")
    assert answer.status_code == 404
    assert "one of OSG, EGEE, ARC" in answer.text


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("hours=0", "between 1 and 720"),
        ("hours=1000000000", "between 1 and 720"),
        ("hours=3d", "a number from 1 to 720"),
        ("period=someday", "one of today, yesterday"),
        ("period=2009-99-99..", "times from 2000-01-01"),
        ("period=2001-01-01..2001-02-01", "begins between 2009-06-10 and now"),
        ("period=2009-09-17..2009-09-16", "ends after that"),
        ("hours=1&period=today", "without hours"),
        ("label=moon", "one of"),
        ("kind=moon", "one of production"),
        ("site=MOON", "site that there is, one of BNL, LYON"),
        ("cloud=MOON", "cloud that there is"),
        ("error=moon:1", "component:code"),
        ("error=pilot:x", "a number as code"),
        ("colour=red", "not a known filter"),
        ("format=xml", "one of html, json"),
        ("site=" + "x" * 10_000, "at most 255"),
    ],
)
def test_a_bad_filter_is_refused_with_value_and_range(
    client: Client, grid: Grid, address: str, query: str, words: str
) -> None:
    if "matrix" in address and query.startswith("period=2001"):
        words = "begins between 2009-08-18 and now"
    answer = client.get(f"{address}?{query}")

    assert answer.status_code == 400
    assert words in answer.text
    assert len(answer.content) < 16_000


def test_the_pages_ask_few_queries_however_much_there_is(
    client: Client, grid: Grid, django_assert_max_num_queries: Any
) -> None:
    for address in PAGES:
        with django_assert_max_num_queries(9):
            client.get(address)


def test_no_page_of_errors_looks_through_the_jobs(
    client: Client, grid: Grid, django_assert_max_num_queries: Any
) -> None:
    for address in ("/errors/", "/errors/matrix/", "/errors/sites/", "/errors/grids/OSG/"):
        with django_assert_max_num_queries(9) as asked:
            client.get(address)
        assert not any("anyjob" in q["sql"] or '"jobs_job"' in q["sql"] for q in asked), address
    assert AnyJob.objects.count() == 58
