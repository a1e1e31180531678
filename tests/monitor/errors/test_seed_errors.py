"""The error page of 2009, rebuilt from its own numbers: every cell must be what it was."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from jobs.models import ErrorCount, ErrorTotal, JobCount
from monitor.errors.loss import loss_class
from tests.builders import create_site
from tests.monitor.tables import rows, tables, texts

SEED = json.loads((Path(__file__).parents[2] / "data" / "seed_screens.json").read_text())["errors"]
YEAR = 2008
NOW = dt.datetime(YEAR, 9, 17, 13, 56, tzinfo=dt.UTC)
HOUR = NOW.replace(minute=0)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ENDED = ("finished", "failed")
# What the seed's screen is cut off before: its rows are made up, its sums are the seed's.
REST = {
    "trans": ("trans", 1),
    "panda": ("pilot", 1201),
    "ddm": ("pilot", 1099),
    "other": ("sup", 1),
}

pytestmark = pytest.mark.django_db


def key(row: dict[str, Any]) -> tuple[str, int]:
    return row["type"].removesuffix("ErrorCode"), row["code"]


def add(site: Any, state: str, component: str, code: int, **numbers: Any) -> None:
    given = {"n": 0, "jobs": 0, "cpu_s": 0, "lost_s": 0, "busy_s": 0} | numbers
    of = {"hour": HOUR, "label": "managed", "state": state, "component": component, "code": code}
    ErrorTotal.objects.create(**of, **given)
    ErrorCount.objects.create(**of, **given, site_id=site.pk, domain="")


@pytest.fixture
def page(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The numbers of the seed at one site; a client whose clock is the seed's."""
    site = create_site("BNL_ATLAS_1")
    lost = {name: loss["cpu_hours"] for name, loss in SEED["losses"].items()}
    left = SEED["all"]["failed"]
    for row in SEED["rows"]:
        component, code = key(row)
        seconds = round(row["cpu_hours"] * 3600)
        latest = dt.datetime.fromisoformat(f"{YEAR}-{row['latest']}").replace(tzinfo=dt.UTC)
        add(site, "failed", component, code, n=row["count"], jobs=row["count"], cpu_s=seconds,
            lost_s=seconds, latest=latest)  # fmt: skip
        lost[loss_class(component, code)] -= row["cpu_hours"]
        left -= row["count"]
    for name, (component, code) in REST.items():
        n = left if name == "trans" else 0
        seconds = round(lost[name] * 3600)
        add(site, "failed", component, code, n=max(n, 1), jobs=n, cpu_s=seconds, lost_s=seconds)
    add(site, "finished", "", 0, n=1, jobs=SEED["all"]["finished"],
        busy_s=SEED["wall_time_hours"] * 3600)  # fmt: skip
    for state, n in SEED["all"].items():
        if state not in (*ENDED, "failed_pct") and n:
            JobCount.objects.create(
                cloud_id=site.cloud_id, site_id=site.pk, label="managed", state=state, hour=EPOCH,
                payload_error=False, n=n, latest=NOW,
            )  # fmt: skip
    monkeypatch.setattr("monitor.errors.views.database_now", lambda: NOW)
    return client


def shown(page: Client) -> str:
    answer = page.get("/errors/", {"hours": "24", "meanings": "seed"})
    assert answer.status_code == 200
    return answer.text


def test_every_cell_of_the_error_table_is_that_of_the_seed(page: Client) -> None:
    # when
    table = tables(shown(page))["Errors"]
    # then
    ours = [texts(row)[:5] for row in table[1:]]
    seed = [
        [
            f"{row['type']} ({row['type_count']})",
            str(row["count"]),
            f"{row['cpu_hours']:.1f}",
            row["latest"],
            f"{row['code']}: {row['description']}",
        ]
        for row in SEED["rows"]
    ]
    assert [row for row in ours if row in seed] == seed
    assert len(ours) == len(seed) + len(REST)


def test_the_columns_are_those_of_the_seed_and_three_more(page: Client) -> None:
    head = texts(tables(shown(page))["Errors"][0])

    assert head[:5] == [
        "Error type (type count)", "Count", "CPU-hrs", "Latest", "Code: Description",
    ]  # fmt: skip
    assert head[5:] == ["% of failed", "Loss", "Look at"]


def test_the_first_row_counts_all_states_in_the_order_of_the_seed(page: Client) -> None:
    # when
    table = tables(shown(page))["All jobs by state"]
    # then
    whole = SEED["all"]
    states = [state for state in whole if state != "failed_pct"]
    assert texts(table[0])[1 : len(states) + 1] == states
    seed = [str(whole[s]) + (f" ({whole['failed_pct']}%)" * (s == "failed")) for s in states]
    assert texts(rows(table)["All"])[1 : len(states) + 1] == seed


def test_the_loss_line_is_that_of_the_seed(page: Client) -> None:
    text = " ".join(shown(page).split())

    assert SEED["title"] == "Panda job error summary for last 24 hours (1.0 days)" and (
        SEED["title"] in text
    )
    assert f"</strong> {SEED['wall_time_hours']:,} hrs" in text
    for name, loss in SEED["losses"].items():
        assert f">{name}</span> {loss['cpu_hours']:,} ({loss['pct']} %)</span>" in text


def test_brokerage_100_is_unknown_to_the_seed_and_known_to_us(page: Client) -> None:
    ours = page.get("/errors/?hours=24").text

    assert "100: Unknown error code" in shown(page)
    assert "100: release not found: no site of the cloud has it" in ours
