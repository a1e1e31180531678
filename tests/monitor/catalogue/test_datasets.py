"""The dataset browser and its lists."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from datasets import services, sums
from datasets.models import Dataset
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_site,
    create_storage,
    create_user,
    local_storage,
)
from tests.monitor.tables import rows, tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("views", "wantviews"):
        monkeypatch.setattr(f"monitor.catalogue.{name}.database_now", lambda: NOW)


def facts(client: Client, address: str) -> dict[str, Any]:
    answer = client.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(client: Client, address: str) -> list[str]:
    return [row["name"] for row in facts(client, address)["rows"]]


def catalogue() -> None:
    """Three datasets of two categories, at two storage elements of two clouds; and a block."""
    bnl = local_storage(create_site("BNL", cloud=create_cloud("US")))
    lpc = local_storage(create_site("LPC", cloud=create_cloud("FR")))
    aod = create_dataset("mc08.105001.py.merge.AOD.r1", created_at=after(hours=-1))
    create_file(dataset=aod, at=[bnl, lpc], size=10, events=7)
    evgen = create_dataset("mc08.105001.py.evgen.EVNT.e1", created_at=after(hours=-30))
    create_file(dataset=evgen, at=[bnl])
    mine = create_dataset("user.alice.test", owner=create_user("alice"), type="destination")
    create_file(dataset=mine, at=[lpc], size=10**9)
    create_dataset("panda.evgen.1_dis2", type="dispatch")
    sums.run(NOW)


def test_categories_are_counted_whatever_is_chosen(client: Client) -> None:
    catalogue()

    text = client.get("/datasets/?category=user").text
    table = rows(tables(text)["categories"])

    assert texts(table["All"]) == ["All", "3", "3", "1.0 GB", "All datasets"]
    assert texts(table["mc"]) == ["mc", "2", "2", "1.0 kB", "MC validation production"]
    assert texts(table["dc2"])[1] == "0"
    assert "Counts are totals, exclusive of selections." in text
    assert "dataset lists last updated:" in text
    assert names(client, "/datasets/?category=user") == ["user.alice.test"]


def test_the_matrix_of_storage_has_a_column_for_each_cloud_and_restricts_the_list(
    client: Client,
) -> None:
    catalogue()
    create_storage("ALONE")

    page = facts(client, "/datasets/")
    assert page["catalogue"]["storage"] == {
        "FR": ["LPC_DISK"], "US": ["BNL_DISK"], "no cloud": ["ALONE"],
    }  # fmt: skip
    assert 'href="?category=mc&amp;storage=LPC_DISK"' in client.get("/datasets/?category=mc").text
    assert names(client, "/datasets/?storage=LPC_DISK") == [
        "user.alice.test", "mc08.105001.py.merge.AOD.r1",
    ]  # fmt: skip
    assert names(client, "/datasets/?storage=ALONE") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("project=mc08", 2),
        ("name=mc08.", 2),
        ("name=mc08.*.AOD.*", 1),
        ("name=*.EVNT.e?", 1),
        ("name=mc08.(", 0),
        ("data_type=EVNT", 1),
        ("type=destination", 1),
        ("state=frozen", 0),
        ("owner=alice", 1),
        ("hours=24", 2),
        ("category=mc&storage=BNL_DISK&hours=2", 1),
    ],
)
def test_datasets_are_chosen_by_what_they_are(client: Client, query: str, found: int) -> None:
    catalogue()

    assert len(names(client, f"/datasets/?{query}")) == found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("storage=NOWHERE", "storage must be one of BNL_DISK, LPC_DISK"),
        ("state=odd", "state must be one of open"),
        ("type=dispatch", "type must be one of input"),
        ("hours=0", "hours must be between 1 and 8760"),
        ("before=x", "before must be a number"),
        ("colour=red", "colour is not a known filter"),
        ("name=a%01b", "name must be one line"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(client: Client, query: str, words: str) -> None:
    catalogue()

    answer = client.get(f"/datasets/?{query}&format=json")

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_a_list_goes_on_behind_its_last_row(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue()
    monkeypatch.setattr("monitor.catalogue.datasets.TOLD", 2)
    monkeypatch.setattr("monitor.catalogue.datasets.SHOWN", 2)

    first = facts(client, "/datasets/")
    second = facts(client, f"/datasets/?before={first['before']}")

    assert [len(page["rows"]) for page in (first, second)] == [2, 1]
    assert second["before"] is None
    page = client.get("/datasets/?project=mc08").text
    assert "2 rows" in page and 'rel="next"' not in page
    assert f'href="?before={first["before"]}" rel="next"' in client.get("/datasets/").text


@pytest.mark.parametrize("few", [0, 20_000], ids=["many are called so", "few are"])
def test_what_is_called_alike_is_listed_the_newest_first(
    client: Client, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    # given
    monkeypatch.setattr("monitor.catalogue.datasets.FEW", few)
    for name in ("mc08.b", "mc08.c", "mc09.x", "mc08.a"):
        create_dataset(name)
    sums.run(NOW)
    # then
    assert names(client, "/datasets/?name=mc08.") == ["mc08.a", "mc08.c", "mc08.b"]
    assert names(client, "/datasets/?name=mc08.?") == ["mc08.a", "mc08.c", "mc08.b"]


def test_a_row_says_where_the_dataset_is(client: Client) -> None:
    catalogue()

    (row,) = facts(client, "/aods/")["rows"]

    assert row["where"] == "BNL_DISK 1/1, LPC_DISK 1/1"
    assert (row["events"], row["size"], row["category"]) == (7, 10, "mc")


def test_new_datasets_are_those_of_the_last_day(client: Client) -> None:
    catalogue()

    assert len(names(client, "/new-datasets/")) == 2
    assert len(names(client, "/new-datasets/?hours=48")) == 3


def test_aborted_datasets_and_those_with_lost_files_are_listed(client: Client) -> None:
    catalogue()
    aod = Dataset.objects.get(data_type="AOD")
    services.abort_datasets([aod.pk], reason="wrong tag", now=NOW)
    mine = Dataset.objects.get(project="user")
    file = mine.files.get()
    services.mark_bad(file, file.replicas.get().storage, "gone")
    sums.run(after(hours=1))

    lost, aborted = facts(client, "/aborted-datasets/")["rows"]

    assert (aborted["name"], aborted["aborted_reason"]) == (aod.name, "wrong tag")
    assert (lost["name"], lost["lost"]) == (mine.name, 1)
    assert names(client, "/aborted-datasets/?only=lost") == [mine.name]
    assert names(client, "/aborted-datasets/?only=aborted") == [aod.name]


def test_an_empty_catalogue_says_so(client: Client) -> None:
    text = client.get("/datasets/").text

    assert "No dataset fits" in text
    assert "never yet" in text
