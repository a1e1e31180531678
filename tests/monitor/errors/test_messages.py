"""What failed jobs say, put together; and failures by workflow, site and code."""

from __future__ import annotations

import pytest
from django.test import Client

from monitor.errors import clusters
from tests.builders import NOW, create_job, put_away
from tests.monitor.errors.grid import Grid, make_grid
from tests.monitor.tables import Table, rows, tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.errors.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)


@pytest.fixture
def grid(db: None) -> Grid:
    return make_grid()


def table(client: Client, address: str, name: str) -> Table:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:2000]
    return tables(answer.text)[name]


# -- messages --------------------------------------------------------------------------------------


def test_messages_that_say_the_same_are_one_row(client: Client, grid: Grid) -> None:
    shown = table(client, "/errors/messages/", "Messages")

    assert [texts(row)[:4] for row in shown[1:]] == [
        ["12", "pilot:1137", "could not write <path> on <host>: errno 28", "BNL 12"],
        ["3", "job_dispatcher:100", "lost heartbeat", "LYON 3"],
        ["1", "none", "(failed, and nobody said why)", "LYON 1"],
    ]


def test_messages_of_an_error_are_those_of_that_error(client: Client, grid: Grid) -> None:
    create_job("failed", site=grid.bnl, at=NOW, exe_error_code=65, exe_error_diag="crash",
               pilot_error_code=1305, pilot_error_diag="payload failed")  # fmt: skip

    def said(query: str) -> list[str]:
        shown = table(client, f"/errors/messages/?{query}", "Messages")
        return [row[2].text for row in shown[1:]]

    assert said("error=pilot:1305") == ["payload failed"]
    assert said("error=exe") == ["crash"]
    assert "payload failed" not in said("")
    assert said("ce=in2p3.fr&error=job_dispatcher") == ["lost heartbeat"]
    assert said("error=none") == ["(failed, and nobody said why)"]


def test_a_cluster_tells_where_it_happens_and_names_its_jobs(client: Client, grid: Grid) -> None:
    shown = table(client, "/errors/messages/?hours=3", "Messages")
    put_away()
    address = shown[1][2].links[0]
    assert address.endswith("/?hours=3")

    page = client.get(address)
    told = client.get(f"{address}&format=json").json()

    assert told["by_node"] == {"hole.bnl.gov": 12}
    assert told["by_workflow"] == {"simul / evgen.py": 12}
    assert sorted(told["jobs"]) == told["retriable"] == [job.pk for job in grid.disk]
    assert "errno 28" in told["samples"][0] and "/scratch/" in told["samples"][0]
    listed = rows(tables(page.text)["Jobs"])
    assert {*listed} == {str(job.pk) for job in grid.disk}


def test_only_so_many_failures_are_read_and_the_page_says_so(
    client: Client, grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "READ", 5)

    text = " ".join(client.get("/errors/messages/").text.split())
    told = client.get("/errors/messages/?format=json").json()

    assert "The latest 5 failures of the window, back to" in text
    assert (told["failures_read"], told["complete"]) == (5, False)


def test_a_cluster_that_is_not_there_is_told(client: Client, grid: Grid) -> None:
    answer = client.get("/errors/messages/0123456789abcdef/")
    assert answer.status_code == 404
    assert "of the latest failures of this window says that" in answer.text


# -- matrix ----------------------------------------------------------------------------------------


def test_the_matrix_counts_failures_by_workflow_and_site(client: Client, grid: Grid) -> None:
    shown = rows(table(client, "/errors/matrix/", "Matrix"))

    assert texts(shown["simul / evgen.py"])[1:] == ["13", "12", "1"]
    assert texts(shown["analysis / evgen.py"])[1:] == ["3", "", "3"]
    assert texts(shown["all"])[1:] == ["16", "12", "4"]


def test_each_cell_of_a_matrix_leads_on_to_what_it_counts(client: Client, grid: Grid) -> None:
    shown = rows(table(client, "/errors/matrix/", "Matrix"))
    cell = shown["simul / evgen.py"][2]

    of_workflow = client.get(f"{cell.links[0]}&format=json").json()
    assert of_workflow["count"]["n"] == 12
    assert "workflow=simul+%2F+evgen.py" in cell.links[0]
    of_site = rows(table(client, "/errors/matrix/?by=site-code", "Matrix"))
    jobs = client.get(f"{of_site['BNL'][2].links[0]}&format=json").json()
    assert jobs["count"]["n"] == 12
    one = rows(table(client, shown["simul / evgen.py"][0].links[0], "Matrix"))
    assert set(one) == {"BNL", "LYON", "all"}


def test_the_matrix_has_every_cell_as_csv_and_json(client: Client, grid: Grid) -> None:
    query = "/errors/matrix/?by=site-code&cloud=FR&format="
    text = client.get(f"{query}csv").content.decode()

    assert text.splitlines() == [
        "site,error,failed,cpu_hours",
        "LYON,job_dispatcher:100,3,0.0",
        "LYON,none,1,0.0",
    ]
    assert client.get(f"{query}json").json()["total"] == 4
