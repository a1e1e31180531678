"""What if: the answer is that of brokerage, rule by rule, and nothing is written."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from brokerage.policy.filters import FILTERS
from jobs import assign, counts
from jobs.models import BrokerageDecision, Job
from tests.builders import (
    NOW,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_vo,
    local_storage,
    manned_site,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.whatif.views.database_now", lambda: NOW)


def ask(client: Client, **job: Any) -> dict[str, Any]:
    answer = client.get("/what-if/?" + urlencode({**job, "format": "json"}))
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def site(told: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in told["sites"] if one["site"] == name]
    return dict(found)


def test_each_site_says_every_rule_that_refuses_with_its_numbers(client: Client) -> None:
    # given
    manned_site("GOOD")
    manned_site("SMALL", memory_mb=1000, scratch_mb=10)
    create_site("EMPTY")
    # when
    told = ask(client, memory=2000, disk=50)
    # then
    assert told["site"] == "GOOD"
    assert site(told, "SMALL")["refusals"] == [
        {"rule": "memory", "sentence": "needs 2000 MB per slot, site offers 1000 MB"},
        {"rule": "disk", "sentence": "needs 50 MB of scratch disk, site offers 10 MB"},
    ]
    assert [r["rule"] for r in site(told, "EMPTY")["refusals"]] == ["pilots"]
    assert site(told, "GOOD")["weight"] == 0
    # and the page has a column for each rule that refuses, and says which refuse nobody
    text = client.get("/what-if/?memory=2000&disk=50").text
    assert all(f'<th scope="col">{rule}</th>' in text for rule in ("memory", "disk", "pilots"))
    assert "Refused by nobody: cloud_status" in text
    assert "needs 50 MB of scratch disk, site offers 10 MB" in text


def test_the_answer_for_a_job_is_the_one_that_brokerage_gives(client: Client) -> None:
    # given
    here = manned_site("AGLT2", releases=[("Atlas-15", "i686")])
    manned_site("LPC", cloud=create_cloud("FR"), memory_mb=10)
    create_job("activated", site=here)
    counts.fold()
    job = create_job(
        "defined", min_ram_count=500, atlas_release="Atlas-15", cmt_config="i686", core_count=2,
        current_priority=300, processing_type="evgen", cloud=create_cloud("US"), cloud_fixed=True,
    )  # fmt: skip
    # when
    address = client.get(f"/what-if/?job={job.pk}").headers["Location"]
    told = client.get(address + "&format=json").json()
    # then
    choice = assign.explain_job(job, now=NOW)
    assert told["site"] == choice.site and told["reason"] == choice.reason
    assert [{**one, "refusals": []} for one in told["sites"]] == [
        {**verdict.as_json(), "refusals": []} for verdict in choice.verdicts
    ]
    assert f'href="/what-if/?job={job.pk}"' in client.get(f"/jobs/{job.pk}/").text


def test_a_dataset_counts_the_files_that_a_site_holds(client: Client) -> None:
    # given
    here, dataset = manned_site("HERE"), create_dataset("mc09.in")
    manned_site("THERE")
    for _ in range(3):
        create_file(at=[local_storage(here)], dataset=dataset)
    # when
    told = ask(client, dataset="mc09.in", files=2)
    # then
    assert site(told, "HERE")["held_files"] == 3
    assert (told["needs"]["input_files"], told["needs"]["total_input_files"]) == (2, 3)


def test_nothing_is_written(client: Client) -> None:
    manned_site("GOOD")
    ask(client, label="managed")
    assert not Job.objects.exists() and not BrokerageDecision.objects.exists()


def test_without_a_job_there_is_a_form_that_says_what_to_do(client: Client) -> None:
    text = client.get("/what-if/").text
    assert "No job described yet." in text
    assert ask(client)["fields"][0] == "label"


def test_a_line_of_csv_has_a_column_for_each_rule(client: Client) -> None:
    # given
    manned_site("GOOD")
    # then
    head, line = client.get("/what-if/?label=user&format=csv").text.splitlines()
    assert head.split(",")[6:] == [rule.__name__ for rule in FILTERS]
    assert line.startswith("GOOD,True,True,0.0,0,")


@pytest.mark.parametrize(
    "query",
    ["label=x", "site=NOWHERE", "cloud=XX", "vo=none", "memory=-1", "cores=9999999", "jobs=1001",
     "dataset=none", "priority=high", "files=x", "colour=red", "job=0", "format=xml",
     "release=" + "x" * 10_000],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_name(client: Client, query: str) -> None:
    # given
    create_vo("atlas")
    # then
    answer = client.get(f"/what-if/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text.lower()
    assert client.get("/what-if/?job=99").status_code == 404
