"""The dashboard of 2009, rebuilt from its own numbers: every cell must be what it was."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from brokerage.models import Cloud, Site
from datasets.models import GB
from jobs.models import Job, JobCount, Node, Pilot, Task
from jobs.nodes import count_pilots
from monitor import recent
from tests.builders import create_cloud, create_job, create_site, create_storage, create_user
from tests.monitor.tables import Table, rows, tables, texts

SEED = json.loads((Path(__file__).parents[1] / "data" / "seed_screens.json").read_text())
BOARD = SEED["dashboard"]
YEAR = 2008
NOW = dt.datetime(YEAR, 9, 17, 4, 52, tzinfo=dt.UTC)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LIVE = (
    "defined", "assigned", "waiting", "activated", "sent", "running", "holding", "transferring",
)  # fmt: skip
ENDED = ("finished", "failed")
NUMBERS = ("nodes", "jobs", "pilots_3h", *LIVE, "transferring_over_36h", *ENDED)
# What the seed's table does not list, so that the rows add up to the totals.
REST = "US_REST"

pytestmark = pytest.mark.django_db


def moment(text: str | None) -> dt.datetime | None:
    """`09-17 04:50` as a time."""
    if text is None:
        return None
    return dt.datetime.strptime(f"{YEAR}-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=dt.UTC)


def load_row(site: Site, row: dict[str, Any]) -> None:
    """Make the counts and pilots of one row."""
    latest = moment(row["latest"])
    payload = row["failed"] if row["trf_pct"] else 0
    stale = row["transferring_over_36h"]
    for state in LIVE:
        n = row[state] - (stale if state == "transferring" else 0)
        add(site, state, n, EPOCH, latest)
    add(site, "finished", row["finished"], NOW.replace(minute=0), latest)
    add(site, "failed", row["failed"] - payload, NOW.replace(minute=0), latest)
    add(site, "failed", payload, NOW.replace(minute=0), latest, payload_error=True)
    load_stale("transferring", stale, site, hours=37)
    load_pilots(site, nodes=row["nodes"], lately=row["pilots_3h"])


def add(
    site: Site,
    state: str,
    n: int,
    hour: dt.datetime,
    latest: dt.datetime | None,
    *,
    payload_error: bool = False,
) -> None:
    if n:
        JobCount.objects.create(
            cloud_id=site.cloud_id,
            site_id=site.pk,
            label="managed",
            state=state,
            hour=hour,
            payload_error=payload_error,
            n=n,
            latest=latest,
        )


def load_stale(state: str, n: int, site: Site, *, hours: int) -> None:
    """Real jobs, since their age is not in the counts."""
    if not n:
        return
    first = create_job(state, site=site, at=NOW - dt.timedelta(hours=hours))
    Job.objects.bulk_create((copy_of(first) for _ in range(n - 1)), batch_size=1000)


def copy_of(job: Job) -> Job:
    fields = {f.attname: getattr(job, f.attname) for f in Job._meta.concrete_fields}
    return Job(**{**fields, "panda_id": None})


def load_pilots(site: Site, *, nodes: int, lately: int) -> None:
    """`lately` pilots within three hours, spread over nodes; further nodes called before."""
    before, just = NOW - dt.timedelta(hours=4), NOW - dt.timedelta(minutes=5)
    Node.objects.bulk_create(
        Node(site=site, node=f"wn{i}", last_claim=just if i < lately else before)
        for i in range(nodes)
    )
    Pilot.objects.bulk_create(
        Pilot(
            site=site,
            pilot_id=f"p{i}",
            node=f"wn{i % max(nodes, 1)}",
            first_contact=before,
            last_contact=just if i < lately else before,
        )
        for i in range(max(nodes, lately))
    )
    count_pilots(NOW)


def load_us() -> None:
    cloud = create_cloud("US")
    listed = BOARD["us_sites"]
    for row in listed:
        load_row(create_site(row["name"], cloud=cloud, with_storage=False), row)
    whole = BOARD["us_totals"]
    rest = {name: whole[name] - sum(row[name] for row in listed) for name in NUMBERS}
    site = create_site(REST, cloud=cloud, with_storage=False)
    load_row(site, rest | {"latest": whole["latest"], "trf_pct": 0})


def dashboard(client: Client, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(recent, "database_now", lambda: NOW)
    answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def expected(row: dict[str, Any]) -> list[str]:
    """The cells of a row as the seed printed them, with our two columns more."""
    percent = ["" if row[p] is None else str(row[p]) for p in ("tot_pct", "trf_pct", "other_pct")]
    return [
        *(str(row[name]) for name in ("nodes", "jobs")),
        row["latest"] or "",
        str(row["pilots_3h"]),
        *(str(row[state]) for state in ("defined", "assigned", "waiting", "activated", "sent")),
        "0",  # starting was not on that screen
        *(str(row[state]) for state in ("running", "holding")),
        f"{row['transferring']} / {row['transferring_over_36h']}",
        *(str(row[state]) for state in ENDED),
        "0",  # cancelled came in 2010
        *percent,
    ]


def shown(table: Table, name: str) -> list[str]:
    return texts(rows(table)[name])[1:]


def test_every_cell_of_the_us_block_is_that_of_the_seed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    load_us()
    # when
    block = tables(dashboard(client, monkeypatch))["cloud-US"]
    # then
    assert shown(block, "US") == expected(BOARD["us_totals"])
    for row in BOARD["us_sites"]:
        assert shown(block, row["name"]) == expected(row)


def test_every_cell_of_the_cloud_table_is_that_of_the_seed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for row in BOARD["clouds"]:
        load_row(create_site(cloud=create_cloud(row["name"]), with_storage=False), row)
    # when
    table = tables(dashboard(client, monkeypatch))["clouds"]
    # then
    for row in BOARD["clouds"]:
        assert shown(table, row["name"]) == expected(row)
    total = shown(table, "all")
    assert total[1] == str(sum(row["jobs"] for row in BOARD["clouds"]))


def test_the_columns_are_those_of_the_seed_and_two_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    load_us()
    # when
    head = texts(tables(dashboard(client, monkeypatch))["cloud-US"][0])[1:]
    # then
    ours = [title.removesuffix(" %") for title in head if title not in ("starting", "cancelled")]
    seed = [title.removesuffix(" a / b") for title in BOARD["columns"]]
    assert ours == seed


def test_the_stale_counts_are_those_of_the_seed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    site = create_site(with_storage=False)
    for state, n in BOARD["stale_over_12h"].items():
        load_stale(state, n or 0, site, hours=13)
    load_stale("transferring", BOARD["stale_over_36h"]["transferring"], site, hours=37)
    # when
    text = " ".join(dashboard(client, monkeypatch).split())
    # then
    assert 'href="/jobs/?state=activated&amp;idle=12h">5950</a>' in text
    assert "&gt; 12 h running none" in text
    assert 'href="/jobs/?state=transferring&amp;idle=36h">12</a>' in text


def test_the_space_list_is_that_of_the_seed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    cloud: Cloud = create_cloud("US")
    for line in BOARD["space"]:
        site = create_site(line["queue"], cloud=cloud, with_storage=False)
        free = None if line["gb"] is None else line["gb"] * GB
        create_storage(sites=[site], free_bytes=free, measured_at=moment(line["as_of_utc"]))
    # when
    table = rows(tables(dashboard(client, monkeypatch))["Space in US"])
    # then
    for line in BOARD["space"]:
        _site, gb, _used, as_of = texts(table[line["queue"]])
        assert gb.split() == ([str(line["gb"])] if line["gb"] else [])
        assert as_of.removesuffix(" old") == (line["as_of_utc"] or "")


def test_the_active_tasks_are_those_of_the_seed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for name, n in BOARD["active_tasks"].items():
        cloud, owner = create_cloud(name), create_user()
        for i in range(n):
            task = Task.objects.create(name=f"{name}{i}", owner=owner, created_at=NOW)
            create_job("defined", cloud=cloud, task=task)
    # when
    text = re.sub(r"<[^>]*>", " ", dashboard(client, monkeypatch))
    # then
    line = " ".join(text.partition("Active tasks:")[2].partition("counted")[0].split())
    assert line == " ".join(f"{name} {n}" for name, n in sorted(BOARD["active_tasks"].items()))
