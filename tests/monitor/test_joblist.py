"""The job list: each filter, each order, pages without gaps, and the three forms."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from jobs.models import Job, Task
from monitor.keyset import SORTS
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_site,
    create_user,
    create_vo,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages look at the moment of the builders."""
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)


def listed(client: Client, **filters: Any) -> list[int]:
    """PandaIDs of the list with these filters."""
    return [job["panda_id"] for job in get(client, **filters)["jobs"]]


def get(client: Client, **filters: Any) -> dict[str, Any]:
    answer = client.get("/jobs/?" + urlencode({**filters, "format": "json"}))
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def create_task(name: str = "evgen") -> Task:
    return Task.objects.create(name=name, owner=create_user(), created_at=NOW)


def test_each_filter_keeps_what_it_names_and_drops_the_rest(client: Client) -> None:
    # given
    task = create_task()
    site = create_site("AGLT2", cloud=create_cloud("US"))
    wanted = create_job(
        "failed",
        site=site,
        task=task,
        vo=create_vo("charmm"),
        prod_source_label="user",
        prod_user_id="bob",
        node="wn07",
        pilot_error_code=1099,
        pilot_error_diag="stage-in",
    )
    create_job("finished", site=create_site("LPC", cloud=create_cloud("FR")), node="wn08")
    # then
    for name, value in {
        "state": "failed",
        "site": "AGLT2",
        "cloud": "US",
        "task": "evgen",
        "label": "user",
        "kind": "analysis",
        "vo": "charmm",
        "user": "bob",
        "node": "wn07",
        "error": "pilot:1099",
        "cause": "other",
    }.items():
        assert listed(client, **{name: value}) == [wanted.pk], name
    assert listed(client, task=task.pk) == [wanted.pk]
    assert listed(client, error="pilot") == [wanted.pk]
    assert listed(client, error="pilot:1100") == []


def test_a_dash_finds_jobs_without_a_site(client: Client) -> None:
    # given
    lost = create_job("defined")
    create_job("running")
    # then
    assert listed(client, site="-") == [lost.pk]
    assert listed(client, cloud="-") == [lost.pk]


def test_a_failure_with_an_error_of_the_payload_is_its_fault(client: Client) -> None:
    # given
    payload = create_job("failed", exe_error_code=60010)
    other = create_job("failed", pilot_error_code=1099)
    # then
    assert listed(client, cause="trf") == [payload.pk]
    assert listed(client, cause="other") == [other.pk]


def test_a_window_keeps_live_jobs_and_those_that_ended_since_its_full_hour(client: Client) -> None:
    # given
    live = create_job("running", at=after(days=-3))
    inside = create_job("finished", at=after(hours=-2, minutes=-30))
    create_job("finished", at=after(hours=-4, minutes=-1))
    # then: 3 h before 12:00 is 9:00
    assert listed(client, window="3h") == [inside.pk, live.pk]
    assert listed(client, ended="3h") == [inside.pk]


def test_absolute_times_bound_the_list_on_both_sides(client: Client) -> None:
    # given
    create_job("finished", at=after(days=-3))
    wanted = create_job("finished", at=after(days=-2))
    create_job("finished", at=after(days=-1))
    # then
    day = f"{after(days=-2, hours=-1):%Y-%m-%dT%H:%M}..{after(days=-2, hours=1):%Y-%m-%dT%H:%M}"
    assert listed(client, ended=day) == [wanted.pk]
    assert listed(client, created=day) == [wanted.pk]


def test_idle_jobs_are_live_ones_that_nothing_has_touched(client: Client) -> None:
    # given
    stale = create_job("running", at=after(hours=-13))
    create_job("running", at=after(hours=-13), modification_time=after(hours=-1))
    create_job("finished", at=after(hours=-13))
    # then
    assert listed(client, idle="12h") == [stale.pk]


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_pages_in_any_order_show_each_job_once_and_in_order(client: Client, sort: str) -> None:
    # given jobs with equal values and, for the end, without one
    for i in range(7):
        create_job(
            "finished" if i % 2 else "running",
            at=after(minutes=i // 3),
            current_priority=i // 2 - 1,
            cpu_consumption_time=i // 4,
        )
    # when
    seen: list[int] = []
    before: str | None = ""
    while before is not None:
        page = get(client, sort=sort, limit=2, before=before)
        seen += [job["panda_id"] for job in page["jobs"]]
        before = page["before"]
    # then
    assert sorted(seen) == sorted(Job.objects.values_list("pk", flat=True))
    assert seen == listed(client, sort=sort)
    values = [
        Job.objects.values_list(SORTS[sort.strip("-")].field, flat=True).get(pk=p) for p in seen
    ]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=sort.startswith("-"))
    assert values[: len(known)] == known, "those without a value come last"


def test_a_page_behind_the_last_one_is_not_there(client: Client) -> None:
    # given
    job = create_job()
    # when
    answer = client.get(f"/jobs/?before={job.pk}")
    # then
    assert answer.status_code == 404
    assert f"behind &#x27;{job.pk}&#x27;" in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "state=runing", "kind=all", "label=x", "cause=payload", "error=pilot:x", "error=gpu:1",
        "error=pilot:99999999999", "limit=0", "limit=1001", "sort=name", "before=0", "before=-3",
        "before=99999999999999999999", "sort=ended&before=7", "sort=ended&before=soon,7",
        "sort=priority&before=9e9,7", "sort=ended&before=2009-01-01T00:00:00,7",
        "ended=2009-13-45..", "idle=-1h", "window=9e9", "hours=3", "format=xml",
        "state=running&state=failed", "task=0",
        "task=99999999999999999999", "task=77", "id=seven", "id=0", "state=running,runing",
        "label=managed,x", "priority=high", "priority=9..1", "priority=..", "attempt=1.5",
        "cores=99999999999", "node=wn*", "name=*x", "columns=panda_id,colour",
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_a_400_that_names_it(client: Client, query: str) -> None:
    # when
    answer = client.get(f"/jobs/?{query}")
    told = client.get(f"/jobs/?{query}&format=json") if "format" not in query else None
    # then
    assert answer.status_code == 400
    name, _, value = query.split("&")[-1].partition("=")
    assert f"{name}={value}" in answer.content.decode()
    if told is not None:
        assert told.headers["Content-Type"] == "application/problem+json"
        assert told.json()["fields"][0]["field"] == name
        assert told.json()["fields"][0]["value"]


@pytest.mark.parametrize("text", ["%%%", "_", "%_", "'; --", "\\"])
def test_wildcards_are_letters_like_any_other(client: Client, text: str) -> None:
    # given
    create_job(prod_user_id="alice")
    # then
    assert listed(client, node=text, transformation=text) == []
    for name in ("site", "task", "user", "vo"):
        assert client.get("/jobs/?" + urlencode({name: text})).status_code == 400, name


def test_json_tells_the_meaning_of_each_error(client: Client) -> None:
    # given
    create_job("failed", task_buffer_error_code=102, task_buffer_error_diag="too old")
    # when
    (error,) = get(client)["jobs"][0]["errors"]
    # then
    assert (error["component"], error["code"], error["diag"]) == ("task_buffer", 102, "too old")
    assert "expired" in error["meaning"]


def test_a_text_that_looks_like_a_formula_is_no_formula_in_csv(client: Client) -> None:
    # given
    for i, name in enumerate(("=1+1", "+1", "-1", "@x", "\tx", "plain")):
        create_job(job_name=name, current_priority=-i)
    # when
    answer = client.get("/jobs/?format=csv&sort=panda_id")
    found = list(csv.DictReader(io.StringIO(answer.content.decode())))
    # then
    assert answer.headers["Content-Disposition"] == 'attachment; filename="jobs.csv"'
    names = [row["job_name"] for row in found]
    assert names == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain"]
    assert found[1]["current_priority"] == "-1", "a number stays a number"


def test_the_box_for_a_panda_id_leads_to_its_page(client: Client) -> None:
    assert client.get("/jobs/?id=17").headers["Location"] == "/jobs/17/"
    assert client.get("/jobs/?id=").headers["Location"] == "/jobs/"


def test_links_of_the_page_keep_the_other_filters(client: Client) -> None:
    # given
    for _ in range(3):
        create_job("failed", node="wn1")
    # when
    text = client.get("/jobs/?state=failed&node=wn1&sort=-ended&limit=2").content.decode()
    # then
    assert 'href="?state=failed&amp;sort=-ended&amp;limit=2"' in text, "without the node"
    assert "?state=failed&amp;node=wn1&amp;sort=-ended&amp;limit=2&amp;before=" in text
    assert '<input type="hidden" name="node" value="wn1">' in text
