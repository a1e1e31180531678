"""The page of the log, and how long it remembers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from jobs import assign, watch
from monitor.logger import lamp, retention
from monitor.logger.handler import DROPPED, OURS
from monitor.models import LogEvent
from tests.builders import NOW, after, create_job, manned_site
from tests.monitor.tables import rows, tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.logger.views.database_now", lambda: NOW)


def line(event: str = "watchdog", **fields: Any) -> LogEvent:
    defaults = {
        "at": NOW, "kind": "dispatch", "level": 20, "logger": "jobs.watch", "host": "web1",
        "process": 7, "facts": {},
    }  # fmt: skip
    return LogEvent.objects.create(event=event, **defaults | fields)


def listed(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/logger/?format=json&{query}")
    assert answer.status_code == 200, answer.text
    return [row["event"] for row in answer.json()["rows"]]


def test_lines_are_listed_newest_first_with_their_facts(client: Client) -> None:
    line("first")
    line("second", facts={"rule": "silent", "jobs": {"AGLT2": 3}}, level=40)

    (shown, _older) = tables(client.get("/logger/").text)[""][1:]

    assert texts(shown)[1:5] == [
        "error", "dispatch", "second", 'jobs: {"AGLT2": 3}, rule: silent',
    ]  # fmt: skip


def test_the_numbers_are_by_type_and_level_and_lead_to_the_lines(client: Client) -> None:
    line(), line(level=30), line(level=50, kind="server"), line(at=after(hours=-30))

    table = rows(tables(client.get("/logger/").text)["Lines by type and level"])

    assert texts(table["dispatch"])[1:5] == ["1", "1", "0", "0"]
    assert texts(table["server"])[1:5] == ["0", "0", "0", "1"]
    (link,) = table["dispatch"][2].links
    assert listed(client, link.removeprefix("?")) == ["watchdog"]


def test_each_filter_finds_what_it_names(client: Client) -> None:
    line("brokered", kind="brokerage", logger="jobs.assign", host="w2", request_id="r-1")
    line("transfer_failed", kind="ddm", level=30, logger="datasets.engine")
    line("old", at=after(hours=-30))

    for query, found in (
        ("kind=brokerage", ["brokered"]), ("level=WARNING", ["transfer_failed"]),
        ("logger=datasets", ["transfer_failed"]), ("event=FAILED", ["transfer_failed"]),
        ("host=w2", ["brokered"]), ("request=r-1", ["brokered"]),
        ("window=7d&kind=dispatch", ["old"]), ("level=CRITICAL", []),
    ):  # fmt: skip
        assert listed(client, query) == found, query


def test_the_log_is_read_page_by_page_to_its_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.logger.events.FILE_ROWS", 2)
    for nr in range(5):
        line(f"line {nr}")

    seen, before = [], ""
    while before is not None:
        page = client.get(f"/logger/?format=json&before={before}").json()
        seen += [row["event"] for row in page["rows"]]
        before = page["before"]

    assert seen == [f"line {nr}" for nr in (4, 3, 2, 1, 0)]
    assert client.get("/logger/?before=1").status_code == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("kind=moon", "one of brokerage, dispatch, ddm, bamboo, server"),
        ("level=LOUD", "one of INFO, WARNING"),
        ("window=x", "a span from 1h to 365d"),
        ("before=moon", "a number from 1"),
        ("sort=event", "sort is not a known filter"),
        ("columns=moon", "some of at, level"),
    ],
)
def test_a_bad_filter_is_refused(client: Client, query: str, words: str) -> None:
    answer = client.get(f"/logger/?{query}&format=json")

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_an_empty_log_says_what_to_do(client: Client) -> None:
    assert "choose a longer window" in client.get("/logger/").text


def test_lines_that_are_too_old_or_too_many_are_forgotten(settings: Any) -> None:
    settings.PANDASITE = settings.PANDASITE | {"EVENT_DAYS": 2, "EVENT_ROWS": 2}
    line("too old", at=after(days=-3))
    for event in ("too many", "kept 1", "kept 2"):
        line(event)

    assert retention.run(NOW) == 2

    assert set(LogEvent.objects.values_list("event", flat=True)) == {"kept 1", "kept 2"}


def test_brokerage_and_the_watchdog_say_what_they_did(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    site = manned_site("AGLT2")
    create_job("defined"), create_job("defined")
    assign.run(NOW)
    create_job("running", site=site, at=after(hours=-9))
    watch.run(NOW)

    told = {record.getMessage(): record for record in caplog.records}

    assert vars(told["brokered"])["jobs"] == {"AGLT2": 2}
    assert vars(told["watchdog"])["jobs"] == 1


def test_the_lamp_of_the_logger_tells_its_latest_line_and_what_was_lost_within_an_hour(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> tuple[str, str]:
        now = lamp.lamp(lamp.look(now=NOW), now=NOW)
        return now.state, now.details

    assert shown() == ("ok", "nothing has been logged yet")
    line(DROPPED, logger=OURS, level=30, facts={"lines": 9}, at=after(hours=-2))
    line("elsewhere", logger=OURS, level=30, facts={"lines": 1})
    assert shown() == ("ok", "keeps every line")
    for n in (40, 2):
        line(DROPPED, logger=OURS, level=30, facts={"lines": n}, at=after(minutes=-5))
    assert shown() == ("late", "42 lines of the log could not be kept within an hour")
    monkeypatch.setattr("monitor.recent.database_now", lambda: NOW)
    servers = client.get("/?format=json").json()["servers"]
    assert [(one["state"], one["at"]) for one in servers if one["name"] == "logger"] == [
        ("late", "2009-09-17T11:55:00Z")
    ]
