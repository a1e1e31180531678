"""The DDM dashboard: links, errors, what waits, plots and space."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from datasets import flowsums
from datasets.models import StorageElement, Transfer
from pandasite.base.models import SweepRun
from tests.builders import NOW, after, create_cloud, create_storage
from tests.monitor.ddm.grid import end, links
from tests.monitor.tables import tables

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ddm.views.database_now", lambda: NOW)


def facts(client: Client, address: str) -> dict[str, Any]:
    answer = client.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_links_are_added_up_by_cloud(client: Client) -> None:
    links()

    page = facts(client, "/ddm/")

    chosen, abroad, home = page["links"]
    assert (chosen["source"], chosen["destination"]) == ("(not chosen)", "FR")
    assert (chosen["queued"], chosen["trying"], chosen["stuck"]) == (2, 1, 1)
    assert (home["source"], home["destination"]) == ("US", "US")
    assert (home["done"], home["efficiency"], home["bytes"]) == (3, 100, 3 * 10**9)
    assert (abroad["done"], abroad["failed"], abroad["tries"]) == (1, 2, 7)
    assert abroad["efficiency"] == 12.5
    assert page["all"]["done"] == 4
    assert page["since"].startswith("2009-09-17T08:00")


def test_the_matrix_leads_from_clouds_to_sites_to_storage_to_errors(client: Client) -> None:
    links()

    clouds = tables(client.get("/ddm/").text)["links"]
    sites = tables(client.get(cell(clouds, "US", "FR").links[0]).text)["links"]
    storage = tables(client.get(cell(sites, "BNL", "LPC").links[0]).text)["links"]
    last = cell(storage, "BNL_DISK", "LPC_DISK").links[0]

    assert cell(clouds, "US", "FR").text.startswith("12 %")
    assert [row[0].text for row in sites[1:-1]] == ["BNL"]
    assert "/ddm/errors/" in last
    (row,) = facts(client, last)["rows"]
    assert (row["source"], row["destination"]) == ("BNL_DISK", "LPC_DISK")
    assert (row["reason"], row["failed"], row["sample"]) == (
        "no space left", 2, "no space left on device, file 1",
    )  # fmt: skip


def cell(table: Any, source: str, destination: str) -> Any:
    head = [one.text for one in table[0]]
    (row,) = [row for row in table[1:] if row[0].text == source]
    return row[head.index(destination)]


@pytest.mark.parametrize(
    ("query", "done", "failed", "queued"),
    [
        ("window=1h", 4, 2, 2),
        ("window=7d", 4, 3, 2),
        ("activity=analysis", 1, 0, 0),
        ("vo=atlas", 1, 0, 0),
        ("source=cloud:US&destination=cloud:US", 3, 0, 0),
        ("destination=site:LPC", 1, 2, 2),
        ("destination=storage:AGLT2_DISK", 3, 0, 0),
        ("source=(not chosen)", 0, 0, 2),
    ],
)
def test_the_scope_narrows_all_numbers(
    client: Client, query: str, done: int, failed: int, queued: int
) -> None:
    links()

    whole = facts(client, f"/ddm/?{query}")["all"]

    assert (whole["done"], whole["failed"], whole["queued"]) == (done, failed, queued)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("window=3h", "window must be one of 1h, 4h, 24h, 7d"),
        ("by=node", "by must be one of cloud, site, storage"),
        ("source=FR", "source must be cloud:, site: or storage:"),
        ("destination=site:NOWHERE", "destination must be cloud:, site: or storage:"),
        ("colour=red", "colour is not a known filter"),
        ("activity=" + "x" * 33, "activity must be at most 32 characters"),
    ],
)
def test_a_scope_that_does_not_exist_is_refused(client: Client, query: str, words: str) -> None:
    links()

    for page in ("/ddm/", "/ddm/errors/", "/ddm/plot"):
        answer = client.get(f"{page}?{query}&format=json")
        assert answer.status_code == 400, page
        assert words in answer.json()["message"]


def test_errors_are_grouped_by_reason_with_those_that_are_tried_again(client: Client) -> None:
    links()

    full, late = facts(client, "/ddm/")["reasons"]

    assert (full["reason"], full["failed"], full["share"], full["n_links"]) == (
        "no space left", 2, 100, 1,
    )  # fmt: skip
    assert (late["reason"], late["failed"], late["trying"]) == ("timed out", 0, 1)
    assert late["sample"] == "it timed out"
    (row,) = facts(client, "/ddm/errors/?reason=timed+out")["rows"]
    assert (row["destination"], row["trying"]) == ("FR", 1)


def test_what_has_waited_longest_is_listed_with_the_reason(client: Client) -> None:
    links()

    (old,) = facts(client, "/ddm/stuck/")["rows"]
    assert old["destination"] == "LPC_DISK"
    assert old["why"] == "the next try is in 30 min, after 1 that failed: it timed out"

    assert len(facts(client, "/ddm/stuck/?hours=0")["rows"]) == 2
    assert facts(client, "/ddm/stuck/?hours=0&destination=cloud:US")["rows"] == []
    assert client.get("/ddm/stuck/?hours=9000").status_code == 400


@pytest.mark.parametrize(
    ("carrier", "who"),
    [("ddm", "the data management system of its VO"), ("mover", "a job of PandaMover")],
)
def test_what_others_are_to_bring_waits_for_no_worker(
    client: Client, carrier: str, who: str
) -> None:
    links()
    Transfer.objects.update(carrier=carrier)

    (old,) = facts(client, "/ddm/stuck/")["rows"]

    assert old["why"].startswith(who) and old["why"].endswith(": it timed out")


def test_plots_have_a_value_for_each_hour_of_the_window(client: Client) -> None:
    links()

    moved = facts(client, "/ddm/plot?what=volume&by=site")
    ended = facts(client, "/ddm/plot?what=transfers&window=24h")
    pace = facts(client, "/ddm/plot")

    assert len(moved["x"]) == 5
    assert {line["name"]: line["values"] for line in moved["series"]} == {
        "AGLT2": [0, 0, 0, 3, 0], "LPC": [0, 0, 0, 0, 0],
    }  # fmt: skip
    assert [sum(line["values"]) for line in ended["series"]] == [4, 7]
    assert pace["unit"] == "MB/s"
    assert max(pace["series"][1]["values"]) == round(3000 / 3600, 3)
    assert client.get("/ddm/plot?what=volume&format=csv").text.splitlines()[0] == "at,FR,US"


def test_a_plot_of_days_has_a_value_for_each_day(client: Client) -> None:
    links()

    ended = facts(client, "/ddm/plot?what=transfers&window=7d")

    assert len(ended["x"]) == 8
    assert [line["values"] for line in ended["series"]] == [
        [0, 0, 0, 0, 0, 0, 0, 4], [0, 0, 0, 0, 0, 0, 1, 7],
    ]  # fmt: skip


def test_what_waits_is_listed_in_pieces(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ddm.stuck.TOLD", 1)
    links()

    first = facts(client, "/ddm/stuck/?hours=0")
    second = client.get(
        "/ddm/stuck/", {"hours": "0", "before": first["before"], "format": "json"}
    ).json()

    assert [page["rows"][0]["attempts"] for page in (first, second)] == [1, 0]
    assert second["before"] == ""
    assert client.get("/ddm/stuck/?before=x").status_code == 400


def test_more_destinations_than_a_plot_can_show_are_one_line(client: Client) -> None:
    made = links()
    for nr in range(9):
        made[f"S{nr}"] = create_storage(f"S{nr}")
        end(made, "BNL", f"S{nr}", "done", after(minutes=-30), bytes_moved=10**9 * (nr + 5))
    flowsums.run(NOW)

    names = [line["name"] for line in facts(client, "/ddm/plot?by=storage")["series"]]

    assert len(names) == 9 and names[-1] == "others"


def test_space_has_its_history(client: Client) -> None:
    create_storage("BNL", capacity_bytes=10**13, free_bytes=4 * 10**12, measured_at=NOW)
    create_storage("LPC", capacity_bytes=10**12)
    flowsums.sample_space(after(hours=-2))
    StorageElement.objects.filter(name="BNL").update(free_bytes=10**12)
    flowsums.sample_space(NOW)

    rows = facts(client, "/ddm/space/")["rows"]
    plot = facts(client, "/ddm/space/plot?storage=BNL&days=7")

    assert [(row["storage"], row["used_pct"], row["free"]) for row in rows] == [
        ("BNL", 90, 10**12), ("LPC", None, None),
    ]  # fmt: skip
    assert {line["name"]: line["values"] for line in plot["series"]} == {
        "used": [6, 9], "free": [4, 1],
    }  # fmt: skip
    assert client.get("/ddm/space/?storage=NONE").status_code == 400
    assert "BNL" in client.get("/ddm/space/?storage=BNL").text


def test_a_page_without_any_transfer_says_so(client: Client) -> None:
    create_cloud("US")

    text = client.get("/ddm/").text

    assert "Nothing moved and nothing waits here." in text
    assert "No transfer failed here." in text


def test_csv_has_a_line_for_each_link(client: Client) -> None:
    links()

    lines = client.get("/ddm/?by=storage&format=csv").text.splitlines()

    assert lines[0].startswith("source,destination,efficiency,throughput,done,failed")
    assert len(lines) == 4


def test_the_dashboard_is_as_old_as_its_sums(client: Client) -> None:
    links()
    SweepRun.objects.create(name="datasets.sum_transfers", last_ok_at=NOW - dt.timedelta(hours=3))

    assert "3 h" in client.get("/ddm/").text
