"""The filters of the job list that people need beside the plain ones, and the columns it shows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from jobs.models import Job, Task
from monitor.jobcolumns import COLUMNS, DEFAULT_COLUMNS
from monitor.jobfilters import FILTERS
from tests.builders import (
    NOW,
    create_cloud,
    create_job,
    create_site,
    create_storage,
    create_user,
    put_away,
)
from tests.monitor.test_joblist import clock, listed

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


def refused(client: Client, **filters: Any) -> dict[str, Any]:
    answer = client.get("/jobs/?" + urlencode({**filters, "format": "json"}))
    assert answer.status_code == 400, answer.content
    return dict(answer.json())


@pytest.fixture
def wanted() -> Job:
    """A job that differs from another one in everything."""
    site = create_site("AGLT2", cloud=create_cloud("US"))
    task = Task.objects.create(name="mc09.evgen", owner=create_user(), created_at=NOW)
    job = create_job(
        "failed", site=site, task=task, job_name="mc09.evgen._0001", working_group="higgs",
        processing_type="reco", transformation="reco.py", atlas_release="Atlas-15.1.0",
        cmt_config="i686", homepackage="Prod/15", current_priority=-20, attempt_nr=2,
        max_attempt=5, core_count=8, min_ram_count=4000, trans_exit_code=65,
        destination_se=create_storage("BNL_DISK"), prod_d_block="mc09.in",
        destination_d_block="mc09.out", dispatch_d_block="mc09_dis1",
    )  # fmt: skip
    create_job("finished", site=create_site("LPC", cloud=create_cloud("FR")), current_priority=900)
    return job


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "mc09.evgen._0001"), ("name", "mc09.evgen*"), ("group", "higgs"),
        ("processing_type", "reco"), ("workflow", "reco / reco.py"),
        ("transformation", "reco.py"), ("release", "Atlas-15.1.0"),
        ("platform", "i686"), ("package", "Prod/15"), ("priority", "-20"), ("priority", "-99..-1"),
        ("priority", "..0"), ("attempt", "2.."), ("max_attempt", "5"), ("cores", "2..16"),
        ("memory", "3000.."), ("exit_code", "65"), ("destination", "BNL_DISK"),
        ("destination", "BNL*"), ("input", "mc09.in"), ("output", "mc09.out"),
        ("dispatch_block", "mc09_dis1"), ("site", "AGL*"), ("cloud", "US"), ("task", "mc09*"),
        ("state", "failed,cancelled"), ("site", "AGLT2,AGLT2"),
    ],
)  # fmt: skip
def test_a_filter_finds_the_job_that_has_it_on_either_side(
    client: Client, wanted: Job, name: str, value: str
) -> None:
    assert listed(client, **{name: value}) == [wanted.pk]
    put_away()
    assert listed(client, **{name: value}) == [wanted.pk]


def test_several_states_sites_and_labels_are_asked_for_at_once(client: Client) -> None:
    # given
    one, two = create_site("AGLT2"), create_site("MWT2")
    first = create_job("failed", site=one)
    second = create_job("running", site=two, prod_source_label="test")
    create_job("finished", site=create_site("LPC"))
    # then
    both = [second.pk, first.pk]
    assert listed(client, state="failed,running") == both
    assert listed(client, site="AGLT2,MWT2") == both
    assert listed(client, site="AGLT2,MWT2", label="test,managed", state="failed") == [first.pk]


def test_a_dash_stands_for_none_also_beside_names_and_for_empty_texts(client: Client) -> None:
    # given
    nowhere = create_job("defined")
    somewhere = create_job("running", site=create_site("AGLT2"), working_group="higgs")
    # then
    assert listed(client, site="-,AGLT2") == [somewhere.pk, nowhere.pk]
    assert listed(client, group="-") == [nowhere.pk]
    assert listed(client, exit_code="-", task="-") == [somewhere.pk, nowhere.pk]


def test_a_workflow_without_a_type_is_found_and_half_a_workflow_refused(client: Client) -> None:
    # given
    job = create_job("failed", processing_type="", transformation="evgen.py")
    create_job("failed", processing_type="evgen", transformation="evgen.py")
    # then
    assert listed(client, workflow="no type / evgen.py") == [job.pk]
    fault = refused(client, workflow="evgen.py")["fields"][0]
    assert (fault["field"], fault["code"]) == ("workflow", "bad_workflow")


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [("site", "AGLT22", "AGLT2"), ("cloud", "UK*", ""), ("user", "alyce", "alice"),
     ("destination", "NOWHERE", ""), ("vo", "atlsa", "atlas"), ("task", "none", "")],
)  # fmt: skip
def test_a_name_that_nothing_has_is_refused_with_those_close_to_it(
    client: Client, wanted: Job, name: str, value: str, nearest: str
) -> None:
    # when
    told = refused(client, **{name: value})
    # then
    assert told["code"] == "unknown_name"
    assert told["fields"][0]["field"] == name
    assert value in told["message"] and nearest in told["message"]


def test_a_user_without_an_account_is_known_by_his_jobs(client: Client) -> None:
    # given
    job = create_job("finished", prod_user_id="/DC=org/CN=Bob")
    # then
    assert listed(client, user="/DC=org/CN=Bob") == [job.pk]
    put_away()
    assert listed(client, user="/DC=org/CN=Bob") == [job.pk]
    assert listed(client, user="/DC=org*") == [job.pk]


def test_the_columns_of_the_address_are_shown_in_its_order(client: Client, wanted: Job) -> None:
    # when
    text = client.get("/jobs/?columns=memory,panda_id,input&state=failed").text
    head = text[text.index("<thead") : text.index("</thead")]
    # then
    assert [head.index(title) for title in ("Memory", "PandaID", "Input dataset")] == sorted(
        head.index(title) for title in ("Memory", "PandaID", "Input dataset")
    )
    assert "Created" not in head
    assert 'href="/datasets/mc09.in/"' in text
    assert "?state=failed&amp;sort=-priority" not in text
    assert "columns=memory%2Cpanda_id%2Cinput" in text, "links keep the choice"


def test_every_column_can_be_shown_on_both_sides(client: Client, wanted: Job) -> None:
    # given
    create_job("running", retry_of=wanted.pk, job_definition_id=7, node="wn07")
    address = f"/jobs/?columns={','.join(COLUMNS)}"
    # when
    live = client.get(address)
    put_away()
    # then
    assert live.status_code == 200
    assert client.get(address).text == live.text
    assert set(DEFAULT_COLUMNS) < set(COLUMNS)


def test_all_filters_together_are_one_query_of_the_list(
    client: Client, wanted: Job, django_assert_max_num_queries: Any
) -> None:
    # given
    filters = {
        "state": "failed", "site": "AGLT2", "cloud": "US", "vo": "atlas", "task": "mc09.evgen",
        "user": "alice", "destination": "BNL_DISK", "cores": "8",
    }  # fmt: skip
    assert set(filters) < set(FILTERS)
    # then
    with django_assert_max_num_queries(15):
        assert client.get("/jobs/?" + urlencode(filters)).status_code == 200
