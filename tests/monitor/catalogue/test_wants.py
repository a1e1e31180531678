"""Subscriptions, open blocks, and what people ask for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from datasets import flowsums, sums
from datasets.models import Dataset, StorageElement, Subscription, Transfer
from datasets.states import DatasetState
from datasets.subscriptions import subscribe
from jobs.models import JobFile
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_replica,
    create_storage,
    create_transfer,
)
from tests.monitor.catalogue.test_datasets import facts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("catalogue.views", "catalogue.wantviews", "errors.acting"):
        monkeypatch.setattr(f"monitor.{name}.database_now", lambda: NOW)


def wished(name: str, *, files: int = 2, at: dt.datetime = NOW, **fields: Any) -> Subscription:
    """A dataset of so many files at BNL that is wanted at LPC."""
    home, target = (
        StorageElement.objects.filter(name=one).first() or create_storage(one)
        for one in ("BNL", "LPC")
    )
    dataset = create_dataset(name)
    for _ in range(files):
        create_file(dataset=dataset, at=[home], size=10**9)
    wish = subscribe(dataset, target, activity="production", now=at)
    Subscription.objects.filter(pk=wish.pk).update(**fields)
    return wish


def the_row(client: Client, query: str = "") -> dict[str, Any]:
    (row,) = facts(client, f"/subscriptions/{query}")["rows"]
    found: dict[str, Any] = row
    return found


# Subscriptions


def test_a_subscription_tells_how_far_it_is_and_what_it_waits_for(client: Client) -> None:
    wish = wished("mc09.a")
    brought = wish.dataset.files.order_by("pk").first()
    assert brought is not None
    create_replica(brought, wish.storage)

    row = the_row(client)

    assert (row["ready"], row["files"], row["ready_pct"]) == (1, 2, 50)
    assert (row["missing_bytes"], row["why"]) == (10**9, "files wait for a worker")
    assert row["eta"] is None


@pytest.mark.parametrize(
    ("transfer", "why"),
    [
        ({"state": "copying", "lease_until": NOW}, "files are being copied"),
        (
            {"error": "odd: timed out", "reason": "timed out", "attempts": 2,
             "next_try_at": after(minutes=30)},
            "timed out: next try in 30 min, wanted for 0 s",
        ),
        (
            {"state": "failed", "ended_at": NOW, "error": "x", "attempts": 5,
             "reason": "no space left"},
            "failed, to be asked for again: no space left",
        ),
        (
            {"state": "failed", "ended_at": NOW, "error": "all bad", "permanent": True},
            "a file can never come: all bad",
        ),
    ],
    ids=["copying", "tried again", "given up", "permanent"],
)  # fmt: skip
def test_it_says_why_it_is_stuck(client: Client, transfer: dict[str, Any], why: str) -> None:
    wished("mc09.a", files=1)
    Transfer.objects.update(**transfer)

    row = the_row(client)

    assert row["why"] == why
    file = Transfer.objects.get().file
    error = transfer.get("error")
    assert row["error"] == (f"{file.lfn}: {error}" if error else "")


def test_without_a_transfer_or_a_file_it_says_so(client: Client) -> None:
    wished("mc09.a", files=1)
    Transfer.objects.all().delete()
    assert the_row(client)["why"].startswith("no transfer is under way")

    Dataset.objects.get().members.all().delete()
    assert the_row(client)["why"] == "the dataset has no files yet"


def test_it_is_expected_at_the_pace_of_the_last_hours(client: Client) -> None:
    wished("mc09.a", files=2)
    done = create_transfer(
        create_file(), StorageElement.objects.get(name="LPC"), state="done", attempts=1,
        started_at=after(hours=-1), ended_at=after(minutes=-50), bytes_moved=4 * 10**9,
    )  # fmt: skip
    assert done.pk
    flowsums.run(NOW)

    # 4 GB came in 4 hours, and 2 GB wait
    assert the_row(client)["eta"] == "2009-09-17T14:00:00Z"


def test_of_a_large_dataset_the_kept_sums_are_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catalogue.progress.COUNTED", 1)
    wish = wished("mc09.a")
    sums.run(NOW)
    create_file(dataset=wish.dataset)  # not counted yet

    row = the_row(client)

    assert (row["files"], row["ready"], row["missing_bytes"]) == (2, 0, 2 * 10**9)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["mc09.new", "mc09.old"]),
        ("?first=oldest", ["mc09.old", "mc09.new"]),
        ("?state=given_up", ["user.gone"]),
        ("?state=all", ["user.gone", "mc09.new", "mc09.old"]),
        ("?stuck=yes", ["mc09.old"]),
        ("?storage=BNL", []),
        ("?dataset=mc09.n", ["mc09.new"]),
        ("?activity=analysis", ["mc09.new"]),
        ("?owner=olga", ["mc09.new"]),
    ],
)
def test_subscriptions_are_chosen(client: Client, query: str, names: list[str]) -> None:
    wished("mc09.old", at=after(hours=-30))
    wished("mc09.new", activity="analysis", owner="olga")
    wished("user.gone", state="given_up", done_at=NOW, reason="nobody waits")

    assert [row["dataset"] for row in facts(client, f"/subscriptions/{query}")["rows"]] == names


def test_the_list_of_subscriptions_goes_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.catalogue.wishes.TOLD", 2)
    for nr in range(3):
        wished(f"mc09.{nr}")

    first = facts(client, "/subscriptions/?first=oldest")
    second = facts(client, f"/subscriptions/?first=oldest&before={first['before']}")

    assert [row["dataset"] for row in second["rows"]] == ["mc09.2"]
    assert client.get("/subscriptions/?before=x").status_code == 400


# Open blocks


def block(name: str, *, at: dt.datetime, **fields: Any) -> Dataset:
    target = StorageElement.objects.filter(name="LPC").first() or create_storage("LPC")
    given = {"type": "dispatch", "state": DatasetState.FROZEN, "destination": target}
    return create_dataset(name, state_changed_at=at, **given | fields)


def test_a_block_tells_which_jobs_wait_on_it_and_the_last_error(client: Client) -> None:
    one = block("panda.x_dis1", at=after(hours=-3))
    files = [create_file(dataset=one) for _ in range(2)]
    create_replica(files[0], one.destination)
    create_transfer(files[1], one.destination, error="no route", reason="host unknown")
    for state in ("assigned", "assigned", "cancelled"):
        create_job(state, inputs=files, dispatch_d_block=one.name)
    JobFile.objects.update(block=one)

    (row,) = facts(client, "/open-blocks/")["rows"]

    assert (row["files"], row["ready"], row["jobs"], row["waiting"]) == (2, 1, 2, 2)
    assert (row["error"], row["reason"], row["destination"]) == ("no route", "host unknown", "LPC")
    assert "dispatch_block=panda.x_dis1" in client.get("/open-blocks/").text


def test_open_blocks_are_listed_from_the_oldest_on_whatever_their_state(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catalogue.openblocks.TOLD", 2)
    block("panda.b", at=after(hours=-2), state=DatasetState.OPEN)
    block("panda.a", at=after(hours=-3))
    block("panda.c", at=after(hours=-2))
    block("panda.gone", at=after(hours=-9), state=DatasetState.ERASED)
    block("mc09.x_sub1", at=NOW, type="sub", state=DatasetState.OPEN)

    first = facts(client, "/open-blocks/")
    second = client.get("/open-blocks/", {"before": first["before"], "format": "json"}).json()

    assert [row["name"] for row in first["rows"]] == ["panda.a", "panda.b"]
    assert [row["name"] for row in second["rows"]] == ["panda.c"]
    assert [row["name"] for row in facts(client, "/open-blocks/?kind=sub")["rows"]] == [
        "mc09.x_sub1"
    ]


@pytest.mark.parametrize("before", ["1", "x,1", "2009-09-17,1", "2009-09-17T00:00:00Z,x", ",,"])
def test_a_cursor_of_blocks_is_one_of_ours(client: Client, before: str) -> None:
    answer = client.get("/open-blocks/", {"before": before, "format": "json"})

    assert answer.status_code == 400
    assert "before must be" in answer.json()["message"]
