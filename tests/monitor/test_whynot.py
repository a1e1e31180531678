"""Why a job does not run: each state's answer names the thing in the way and the nearest fix."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from brokerage.models import Site
from jobs import counts
from jobs.models import Job, JobFile
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_downtime,
    create_file,
    create_job,
    create_pilot,
    create_site,
    create_storage,
    create_transfer,
    create_user,
    local_storage,
    manned_site,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("views", "jobparts"):
        monkeypatch.setattr(f"monitor.{module}.database_now", lambda: NOW)


def why(client: Client, job: Job) -> dict[str, Any]:
    answer = client.get(f"/jobs/{job.pk}/why?format=json")
    assert answer.status_code == 200, answer.content
    assert client.get(f"/jobs/{job.pk}/why").status_code == 200
    return dict(answer.json())


def check(told: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in told["checks"] if one["name"] == name]
    return dict(found)


def at_a_site(**needs: Any) -> Job:
    return create_job("activated", site=manned_site("AGLT2", memory_mb=0), **needs)


# -- no site -------------------------------------------------------------------------------------


def test_a_job_without_a_site_is_told_which_site_is_nearest_and_what_would_do(
    client: Client,
) -> None:
    # given
    manned_site("NEAR", memory_mb=2000)
    create_site("FAR", memory_mb=1000, scratch_mb=1)
    job = create_job("defined", min_ram_count=4000, max_disk_count=50)
    # when
    told = why(client, job)
    # then
    near, far = told["checks"]
    assert (near["name"], near["ok"]) == ("NEAR", False)
    assert near["words"] == "needs 4000 MB per slot, site offers 2000 MB"
    assert near["fix"] == "ask for less memory, or for more cores"
    assert far["fix"] == "more than one thing"
    assert told["headline"].startswith("None of 2 sites can take it")
    assert {v["site"] for v in told["brokerage_now"]["verdicts"]} == {"NEAR", "FAR"}


def test_a_job_that_a_site_could_take_by_now_says_so(client: Client) -> None:
    # given
    manned_site("AGLT2")
    # then
    told = why(client, create_job("defined"))
    assert told["headline"] == "Brokerage would send it to AGLT2 now: the next round may take it."


# -- no input ------------------------------------------------------------------------------------


def test_a_waiting_job_names_the_files_that_nobody_knows(client: Client) -> None:
    # given
    job, dataset = create_job("waiting"), create_dataset("mc09.evgen")
    JobFile.objects.create(job=job, type="input", scope="mc09", lfn="EVNT.1", dataset=dataset)
    # then
    told = why(client, job)
    assert told["headline"] == "1 input file of dataset mc09.evgen not known anywhere yet."
    assert check(told, "mc09:EVNT.1")["words"] == "in no catalogue"


def test_an_assigned_job_tells_of_each_file_that_is_not_there(client: Client) -> None:
    # given
    site, away = create_site("AGLT2"), create_storage("BNL")
    stuck, moving, idle, lost = [create_file(f"EVNT.{n}", at=[away]) for n in range(4)]
    lost.replicas.all().delete()
    here = local_storage(site)
    create_transfer(stuck, here, attempts=2, error="no route", next_try_at=after(minutes=5))
    create_transfer(moving, here, attempts=1)
    job = create_job("assigned", site=site, inputs=[stuck, moving, idle, lost])
    # when
    told = why(client, job)
    # then
    assert told["headline"] == "0 of 4 input files at AGLT2; 4 to come, 1 of them in trouble."
    assert "no route; tried again in 5 min" in check(told, "mc09:EVNT.0")["words"]
    assert check(told, "mc09:EVNT.1")["ok"] is True
    assert check(told, "mc09:EVNT.2")["words"] == "no transfer yet; it is at BNL"
    assert check(told, "mc09:EVNT.3")["fix"] == "bring the file back, or kill the job"


# -- no pilot ------------------------------------------------------------------------------------


def test_a_fact_that_no_pilot_offers_is_the_headline(client: Client) -> None:
    # given
    job = at_a_site(min_ram_count=4000)
    create_pilot(job.computing_site, memory_mb=2000)
    # when
    told = why(client, job)
    # then
    assert told["headline"] == (
        "It needs 4,000 MB of memory, 0 of 2 pilots had as much; the best has 2,000 MB."
    )
    assert check(told, "memory")["fix"] == "ask for at most 2,000 MB, or broker the job again"


def test_facts_that_only_different_pilots_offer_are_told(client: Client) -> None:
    # given
    job = at_a_site(min_ram_count=4000, max_disk_count=500)
    create_pilot(job.computing_site, memory_mb=4000)
    create_pilot(job.computing_site, free_disk_mb=500)
    # then
    told = why(client, job)
    assert told["headline"].startswith("No single pilot offers memory, disk and CPU speed")


def test_a_site_without_pilots_is_told(client: Client) -> None:
    # given
    job = create_job("activated", site=create_site("AGLT2"))
    create_pilot(job.computing_site, last_contact=after(hours=-4))
    # then
    assert why(client, job)["headline"] == "No pilot has called there for 3 hours."


def test_pilots_on_banned_nodes_do_not_count(client: Client) -> None:
    # given
    job = at_a_site()
    job.computing_site.banned_nodes.create(node="wn01", reason="black hole", at=NOW)
    # then
    found = check(why(client, job), "pilots")
    assert (found["ok"], found["words"]) == (
        False, "1 pilot called there within 3 hours, 1 of them on banned nodes",
    )  # fmt: skip


def test_an_offline_site_and_a_full_one_are_told(client: Client) -> None:
    # given
    job = at_a_site()
    site = Site.objects.filter(pk=job.computing_site_id)
    create_job("running", site=job.computing_site)
    counts.fold()
    # when
    site.update(job_cap=1)
    full = why(client, job)
    site.update(status="offline", status_reason="power cut")
    # then
    assert full["headline"] == "Pilots at AGLT2 hold 1 of 1 jobs that they may."
    off = why(client, job)
    assert off["headline"] == "AGLT2 is offline: power cut."
    assert check(off, "brokerage")["ok"] is False


def test_a_site_in_an_outage_is_told_with_its_end(client: Client) -> None:
    # given
    job = at_a_site()
    outage = create_downtime(Site.objects.get(pk=job.computing_site_id))
    # then
    told = why(client, job)
    assert told["headline"] == f"AGLT2 is in downtime {outage.words}."
    assert check(told, "brokerage")["ok"] is False


def test_a_job_that_nothing_hinders_waits_its_turn(client: Client) -> None:
    # given
    job = at_a_site(current_priority=100)
    for priority in (100, 101, 900):
        create_job("activated", site=job.computing_site, current_priority=priority)
    # then: the one of equal priority came later
    told = why(client, job)
    assert told["headline"] == "Nothing stands in its way but 2 jobs before it."
    assert check(told, "queue")["words"].startswith("2 jobs of its site go before it")
    first = Job.objects.get(current_priority=900)
    assert "it is the next one" in why(client, first)["headline"]


@pytest.mark.parametrize("state", ["sent", "running", "holding", "transferring", "finished"])
def test_a_job_that_does_not_wait_says_what_it_does(client: Client, state: str) -> None:
    told = why(client, create_job(state))
    assert state in told["headline"] and told["checks"] == []


def test_the_job_page_asks_for_it_apart_and_only_while_the_job_waits(client: Client) -> None:
    client.force_login(create_user("alice"))
    waiting, running = create_job("activated"), create_job("running")
    assert f'hx-get="/jobs/{waiting.pk}/why"' in client.get(f"/jobs/{waiting.pk}/").text
    text = client.get(f"/jobs/{running.pk}/").text
    assert "/why" not in text
    assert f"action=kill&amp;id={running.pk}" in text
