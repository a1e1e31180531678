"""Channels of transfers, physics data, and jobs by block."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from datasets.models import Transfer
from monitor.data import tally
from monitor.models import PhysicsTally
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_transfer,
    put_away,
)
from tests.monitor.sums import create_task, ended
from tests.monitor.tables import tables

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.data.views.database_now", lambda: NOW)


def rows(client: Client, address: str) -> list[dict[str, Any]]:
    answer = client.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


# Channels


def moving() -> None:
    bnl, site = create_storage("BNL_DISK"), create_site("AGLT2")
    target = site.storages.get()
    for _ in range(2):
        create_transfer(create_file(), target, state="done", source=bnl, ended_at=after(hours=-1),
                        bytes_moved=1000)  # fmt: skip
    create_transfer(create_file(), target, state="failed", source=bnl, ended_at=after(hours=-2),
                    error="no space left")  # fmt: skip
    create_transfer(create_file(), target, state="copying", source=bnl, lease_until=NOW)
    create_transfer(create_file(), target, state="failed", source=bnl, ended_at=after(hours=-30))
    create_transfer(create_file(), create_storage("LPC_DISK"), created_at=after(hours=-5))


def test_channels_have_what_waits_runs_and_ended(client: Client) -> None:
    moving()

    first, second = rows(client, "/mover/")

    assert (first["source"], first["destination"]) == ("BNL_DISK", "AGLT2_DISK")
    assert [first[name] for name in ("queued", "running", "done", "failed")] == [0, 1, 2, 1]
    assert (first["bytes"], first["error"]) == (2000, "no space left")
    assert (second["source"], second["queued"]) == ("(not chosen yet)", 1)
    assert second["oldest"].startswith("2009-09-17T07:00")


def test_channels_are_filtered_and_lead_to_the_site(client: Client) -> None:
    moving()

    assert [row["destination"] for row in rows(client, "/mover/?to=lpc")] == ["LPC_DISK"]
    assert [row["source"] for row in rows(client, "/mover/?failing=yes")] == ["BNL_DISK"]
    assert rows(client, "/mover/?window=7d")[0]["failed"] == 2
    assert tables(client.get("/mover/").text)[""][1][1].links == ["/sites/AGLT2/"]


@pytest.mark.django_db
def test_channels_of_movers_are_apart_from_those_of_the_engine(client: Client) -> None:
    moving()
    Transfer.objects.filter(state="queued").update(carrier="mover")

    by_mover = rows(client, "/mover/?by=mover")

    assert {row["carrier"] for row in by_mover} == {"mover"}
    assert sum(row["queued"] for row in by_mover) == Transfer.objects.filter(state="queued").count()
    assert {row["carrier"] for row in rows(client, "/mover/")} == {"engine", "mover"}


def test_a_transfer_that_is_tried_again_tells_its_error(client: Client) -> None:
    target = create_storage("LPC_DISK")
    create_transfer(create_file(), target, error="no route to host", attempts=1)

    assert rows(client, "/mover/?failing=yes")[0]["error"] == "no route to host"


# Physics


def catalogue() -> None:
    evgen = create_dataset("mc09.105001.py.evgen.EVNT.e1", created_at=after(hours=-1))
    create_dataset("mc09.105002.py.evgen.EVNT.e1")
    create_file(dataset=evgen, size=1000, events=50)
    create_file(dataset=evgen, size=1000)
    data = create_dataset("data09.0014.physics_MinBias.merge.AOD.f1", type="destination")
    create_file(dataset=data, size=10**9)
    create_dataset("panda.evgen.1_dis2", type="dispatch")


def test_datasets_are_added_up_by_what_their_names_say(client: Client) -> None:
    catalogue()
    tally.run(NOW)
    tally.run(NOW)

    data, evgen = rows(client, "/physics/")

    assert (data["project"], data["stream"], data["data_type"], data["size"]) == (
        "data09", "physics_MinBias", "AOD", 10**9,
    )  # fmt: skip
    assert data["events"] is None
    assert (evgen["datasets"], evgen["files"], evgen["events"], evgen["counted_pct"]) == (
        2, 2, 50, 50,
    )  # fmt: skip


def test_the_catalogue_is_added_up_a_slice_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "SLICE", 1)
    monkeypatch.setattr("monitor.data.tally.Round.over", True)  # no time for a second one
    for nr in range(3):
        create_dataset(f"mc09.{nr}.py.evgen.EVNT.e1")
    slices = tally.Dataset.objects.order_by("-pk").first().pk + 1

    for _ in range(slices):
        tally.run(NOW)

    assert PhysicsTally.objects.count() == 3


def test_a_dataset_that_is_gone_is_counted_no_more(client: Client) -> None:
    catalogue()
    tally.run(NOW)
    tally.Dataset.objects.filter(name__startswith="data09").delete()

    tally.run(NOW)

    assert [row["project"] for row in rows(client, "/physics/?by=project")] == ["mc09"]


def test_physics_data_is_filtered(client: Client) -> None:
    catalogue()
    tally.run(NOW)

    for query, found in (
        ("project=mc09", ["mc09"]), ("data_type=AOD", ["data09"]), ("step=simul", []),
        ("stream=physics_MinBias", ["data09"]), ("by=type", ["data09", "mc09"]),
    ):  # fmt: skip
        assert [row["project"] for row in rows(client, f"/physics/?{query}")] == found, query


# Blocks


def test_jobs_are_counted_by_dispatch_or_destination_block(client: Client) -> None:
    site = create_site("AGLT2")
    for state in ("running", "finished"):
        create_job(state, site=site, dispatch_d_block="panda.x_dis1", destination_d_block="mc09.a",
                   at=after(hours=-1))  # fmt: skip
    ended("failed", destination_d_block="mc09.a")
    ended(hours=-30, dispatch_d_block="panda.old_dis")

    dispatch, none = rows(client, "/blocks/?hours=24")
    (destination,) = rows(client, "/blocks/?hours=24&kind=destination")

    assert (dispatch["name"], dispatch["running"], dispatch["finished"]) == ("panda.x_dis1", 1, 1)
    assert (none["name"], none["failed"]) == ("(none)", 1)
    assert (destination["name"], destination["jobs"], destination["failed_pct"]) == (
        "mc09.a", 3, 50,
    )  # fmt: skip


def test_blocks_of_ended_jobs_are_found_in_the_archive_and_filtered(client: Client) -> None:
    site, task = create_site("AGLT2"), create_task()
    ended(hours=-50, dispatch_d_block="panda.a_dis", computing_site=site)
    ended(hours=-50, dispatch_d_block="panda.b_dis", task=task)
    put_away()

    assert len(rows(client, "/blocks/?hours=72")) == 2
    assert rows(client, "/blocks/?hours=24") == []
    assert [row["name"] for row in rows(client, "/blocks/?hours=72&site=AGLT2")] == ["panda.a_dis"]
    assert [row["name"] for row in rows(client, f"/blocks/?hours=72&task={task.pk}")] == [
        "panda.b_dis"
    ]


def test_of_too_many_jobs_the_latest_are_counted_and_the_page_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.data.blocks.READ", 2)
    for nr in range(3):
        create_job("defined", dispatch_d_block=f"b{nr}")

    assert [row["name"] for row in rows(client, "/blocks/?sort=name")] == ["b1", "b2"]
    assert "Of the latest 2 jobs: narrow your search" in client.get("/blocks/").text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/mover/?failing=no", "one of yes"),
        ("/mover/?window=x", "a span from 1h to 365d"),
        ("/physics/?by=moon", "one of all, project"),
        ("/blocks/?kind=moon", "one of dispatch, destination"),
        ("/blocks/?hours=9999", "between 1 and 720"),
        ("/blocks/?site=MOON", "site must be one of"),
        ("/blocks/?task=moon", "a number from 1"),
    ],
)
def test_a_bad_filter_is_refused(client: Client, address: str, words: str) -> None:
    answer = client.get(f"{address}&format=json")

    assert answer.status_code == 400
    assert words in answer.json()["message"]
