"""The boxes of the job list: each number is that of the list behind it, or says it is not."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from jobs import counts
from jobs.models import Task
from monitor import counted, facets, tally
from monitor.jobfilters import FILTERS
from monitor.models import FacetShelf
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_site,
    create_storage,
    create_user,
    put_away,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("views", "jobviews"):
        monkeypatch.setattr(f"monitor.{module}.database_now", lambda: NOW)


@pytest.fixture
def jobs() -> None:
    """Jobs that differ in all that there are boxes for, some of them in the archive."""
    task = Task.objects.create(name="evgen", owner=create_user(), created_at=NOW)
    here, there = create_site("AGLT2"), create_site("LPC", cloud=create_cloud("FR"))
    create_job(
        "failed", site=here, task=task, pilot_error_code=1099, exe_error_code=60010,
        current_priority=-20, trans_exit_code=65, destination_se=create_storage("BNL"),
        working_group="higgs", processing_type="reco", atlas_release="15.1", cmt_config="i686",
        homepackage="Prod", core_count=8, min_ram_count=4000, prod_d_block="in",
        destination_d_block="out", node="wn07", prod_user_id="bob", prod_source_label="user",
        transformation="reco.py", max_attempt=9,
    )  # fmt: skip
    create_job("finished", site=here, current_priority=150)
    put_away()
    create_job("finished", site=there, current_priority=199)
    create_job("running", site=there, current_priority=0)
    create_job("defined")
    counts.fold()


def told(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/jobs/facets?{query}&format=json")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def box(client: Client, name: str, query: str = "") -> dict[str, int]:
    found = told(client, query)["boxes"][name]
    return {value["value"]: value["n"] for value in found["values"]}


@pytest.mark.parametrize("query", ["", "attempt=0..", "window=24h", "state=failed,finished"])
def test_each_number_is_that_of_the_list_it_leads_to(
    client: Client, jobs: None, query: str
) -> None:
    # given
    tally.run(NOW)
    page = client.get(f"/jobs/facets?{query}")
    made = page.context["facets"]
    # then
    assert made.exact and made.total == listed(client, "?" + query)
    assert {b.name for b in made.boxes} == set(facets.TITLES)
    for each in made.boxes:
        for value in each.values:
            assert value.on or listed(client, value.url) == value.n, (each.name, value)


def listed(client: Client, url: str) -> int:
    answer = client.get(f"/jobs/{url}{'&' if url != '?' else ''}format=json")
    assert answer.status_code == 200, (url, answer.content)
    return int(answer.json()["count"]["n"])


def test_every_attribute_is_counted_in_one_group() -> None:
    assert sorted(box for group in tally.GROUPS for box in group) == sorted(tally.TALLIED)


def test_every_box_is_a_filter_of_the_list() -> None:
    assert set(facets.TITLES) <= set(FILTERS)


def test_a_value_that_is_on_leads_back_to_the_list_without_it(client: Client, jobs: None) -> None:
    # when
    (site,) = [b for b in facets_of(client, "site=LPC&kind=production").boxes if b.name == "site"]
    # then
    (value,) = site.values
    assert value.on and value.url == "?kind=production"


def facets_of(client: Client, query: str) -> facets.Facets:
    found = client.get(f"/jobs/facets?{query}").context["facets"]
    assert isinstance(found, facets.Facets)
    return found


def test_more_jobs_than_are_counted_are_at_least_so_many(
    client: Client, jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(facets, "MOST", 2)
    # when
    by_attempt, by_site = told(client, "attempt=0.."), told(client, "label=managed")
    # then
    assert (by_attempt["total"], by_attempt["exact"]) == (2, False)
    assert sum(v["n"] for v in by_attempt["boxes"]["state"]["values"]) <= 3
    assert "≥" in client.get("/jobs/facets?attempt=0..").text
    # what is kept with each change stays exact
    assert (by_site["total"], by_site["exact"]) == (4, True)
    assert box(client, "site", "label=managed") == {"LPC": 2, "AGLT2": 1, "none": 1}
    assert by_site["boxes"]["node"]["exact"] is False


def test_an_error_is_counted_in_each_component_that_a_job_names(client: Client, jobs: None) -> None:
    assert box(client, "error", "state=failed") == {"pilot:1099": 1, "exe:60010": 1}
    assert "error" not in told(client, "state=finished")["boxes"]


def test_priorities_go_by_the_hundred_also_below_zero(client: Client, jobs: None) -> None:
    assert box(client, "priority", "attempt=0..") == {
        "100 to 199": 2, "-100 to -1": 1, "0 to 99": 2,
    }  # fmt: skip


def test_a_count_that_takes_too_long_is_said_to_and_the_rest_is_there(
    client: Client, jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(facets, "PATIENCE_MS", 100)

    def slow(*_args: object, **_more: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(3)")

    monkeypatch.setattr(tally, "tally", slow)
    # when
    answer = client.get("/jobs/facets?kind=production")
    # then
    assert answer.status_code == 200
    assert "narrow the search" in answer.text
    assert told(client, "kind=production")["boxes"]["state"]["exact"]


def test_boxes_without_a_filter_are_those_of_the_last_count(client: Client, jobs: None) -> None:
    # given
    assert set(told(client)["boxes"]) == set(counted.BOXES), "before the first count"
    assert tally.run(after(minutes=-30)) == FacetShelf.objects.count() >= 2
    # when
    create_job("running", site=create_site("MWT2"), prod_user_id="carol")
    boxes = told(client)["boxes"]
    # then: some are of this moment, and the others say of which
    assert {v["value"] for v in boxes["site"]["values"]} == {"AGLT2", "LPC", "MWT2", "none"}
    assert {v["value"] for v in boxes["user"]["values"]} == {"alice", "bob"}
    assert boxes["user"]["counted_at"] == "2009-09-17T11:30:00Z"
    assert boxes["site"]["counted_at"] is None


def test_a_week_that_is_gone_is_counted_no_longer(client: Client, jobs: None) -> None:
    # given
    tally.run(NOW)
    FacetShelf.objects.create(name="jobs_endedjob_19990101", as_of=NOW, jobs=1, changes=1)
    # when
    tally.run(after(minutes=10))
    # then
    assert not FacetShelf.objects.filter(name="jobs_endedjob_19990101").exists()


def test_what_has_not_changed_is_as_of_the_last_look_and_what_was_not_reached_is_older(
    client: Client, jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    tally.run(NOW)
    # when nothing has changed
    assert tally.run(after(minutes=10)) == 0
    # then
    assert tally.kept()[0] == after(minutes=10)
    # when a table has, and there is no time for it
    FacetShelf.objects.filter(name="jobs_job").update(changes=-1)
    monkeypatch.setattr(tally, "SWEEP_SECONDS", -1.0)
    tally.run(after(minutes=20))
    # then
    assert tally.kept()[0] == after(minutes=10)


def test_the_list_asks_for_its_boxes_apart(
    client: Client, jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(facets, "read", None)
    # when
    text = client.get("/jobs/?site=LPC").text
    # then
    assert 'hx-get="/jobs/facets?site=LPC"' in text
    assert '<a href="/jobs/facets?site=LPC">' in text, "and without scripts it is a page"


def test_a_filter_that_cannot_be_is_refused_here_too(client: Client) -> None:
    answer = client.get("/jobs/facets?site=NOWHERE")
    assert answer.status_code == 400
    assert "site=NOWHERE" in answer.text
