"""The page of shares, and what limits a job, a user and a task on their pages."""

from __future__ import annotations

import csv
import io

import pytest
from django.test import Client

from jobs import tally
from jobs.models import Task, Usage, UsageQuota
from jobs.shares import act
from jobs.shares.tree import Node
from pandasite.base.clock import database_now
from tests.builders import NOW, create_job, create_site, create_user
from tests.jobs.shares.load import shares

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> None:
    """Higgs has three of four cores, and should have one: top and its two parts have work."""
    shares(higgs=25, top=75)
    shares(
        Node(name="top simul", processing_type="simul", percent=40),
        Node(name="top rest", percent=60),
        below="top",
    )
    site = create_site("AGLT2")
    for _ in range(3):
        create_job("running", site=site, working_group="higgs")
    create_job("running", site=site, working_group="top", processing_type="simul")
    for group in ("higgs", "top", "none"):
        for _ in range(4):
            create_job("activated", site=site, working_group=group)
    tally.run(NOW)
    act.run(NOW)


def test_the_page_shows_each_share_below_its_parent(client: Client, tree: None) -> None:
    answer = client.get("/shares/?format=json").json()

    found = {row["path"]: (row["used"], row["target"], row["waiting"]) for row in answer["rows"]}
    assert found == {
        "all": (4, 4, 8),
        "all / higgs": (3, 1, 4),
        "all / top": (1, 3, 4),
        "all / top / top simul": (1, 1, 0),
        "all / top / top rest": (0, 2, 4),
    }
    verdicts = {row["path"].rpartition(" / ")[2]: row["verdict"] for row in answer["rows"]}
    assert verdicts == {
        "all": "fair", "higgs": "over", "top": "under", "top simul": "fair", "top rest": "under",
    }  # fmt: skip
    assert answer["notes"] == ["4 jobs that wait are in no share."]


def test_the_page_is_filtered_and_comes_as_a_file(client: Client, tree: None) -> None:
    text = client.get("/shares/?verdict=over&format=csv").content.decode()

    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["path"], row["percent"], row["verdict"]) == ("all / higgs", "25.0", "over")


def test_what_waits_leads_to_the_jobs_of_the_share(client: Client, tree: None) -> None:
    page = client.get("/shares/").content.decode()

    assert "group=higgs" in page
    assert client.get("/jobs/?state=activated&group=higgs&format=json").status_code == 200


def test_a_bad_filter_is_refused(client: Client) -> None:
    assert client.get("/shares/?verdict=bad").status_code == 400
    assert client.get("/shares/?site=AGLT2").status_code == 400


def test_a_job_that_waits_says_what_its_share_has(client: Client, tree: None) -> None:
    job = create_job("activated", site=create_site(), working_group="higgs")

    why = client.get(f"/jobs/{job.pk}/why?format=json").json()

    words = [check["words"] for check in why["checks"] if check["name"] == "priority"]
    assert words == ["Share higgs has 3 cores and should have 1: jobs of other shares go first."]


def test_a_job_whose_user_is_over_a_hard_limit_says_so_first(client: Client) -> None:
    UsageQuota.objects.create(name="alice", cpu_hours=0, cpu_hours_day=1, hard=True)
    Usage.objects.create(
        since=database_now(), hours=1, user="alice", site_id=0, label="user", cpu_s=7200, latest=NOW
    )
    job = create_job("defined")

    why = client.get(f"/jobs/{job.pk}/why?format=json").json()

    words = (
        "User alice has used 2.0 of 1.0 CPU hours in 24 h, which is a hard limit: the jobs wait."
    )
    assert why["headline"] == words
    create_user("alice")
    assert words in client.get("/users/alice/").content.decode()


def test_a_task_that_waits_says_what_its_share_has(client: Client, tree: None) -> None:
    task = Task.objects.create(name="t", owner=create_user(), working_group="higgs", created_at=NOW)
    create_job("activated", site=create_site(), working_group="higgs", task=task)

    words = "Share higgs has 3 cores and should have 1: jobs of other shares go first."
    assert client.get(f"/tasks/{task.pk}/?format=json").json()["limits"] == [words]
    assert words in client.get(f"/tasks/{task.pk}/").content.decode()
