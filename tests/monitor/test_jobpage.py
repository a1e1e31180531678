"""The job page: one true sentence per state, states over time, decision, files, log."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from brokerage.policy import Choice
from brokerage.policy.verdicts import Verdict
from jobs import errors, services
from jobs.models import BrokerageDecision, Job, JobEvent, JobFile, JobOutput
from jobs.states import JobState
from monitor.timeline import WIDTH, attempts, bars
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_replica,
    create_site,
    create_storage,
    create_transfer,
    local_storage,
)
from tests.monitor.tables import rows, tables, texts

CHOICE = Choice(
    site=None,
    reason="none of 2 sites can take it (refused by releases 1, memory 1)",
    verdicts=(
        Verdict(site="AGLT2", accepted=False, rule="releases", reason="Atlas-14.5.0 is missing"),
        Verdict(site="LPC", accepted=False, rule="memory", reason="needs 4000 MB, offers 2000 MB"),
    ),
)
CHOSEN = Choice(
    site="AGLT2",
    reason="smallest weight",
    verdicts=(
        Verdict(site="AGLT2", accepted=True, reason="smallest weight", weight=0.5, held_files=3),
        Verdict(site="MWT2", accepted=True, reason="weight 2 is too big", weight=2.0),
        Verdict(site="LPC", accepted=False, rule="memory", reason="offers 2000 MB"),
    ),
)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.views.database_now", lambda: after(minutes=5))


def told(client: Any, job: Job) -> dict[str, Any]:
    return dict(client.get(f"/jobs/{job.pk}/?format=json").json())


def page(client: Any, job: Job) -> str:
    return " ".join(client.get(f"/jobs/{job.pk}/").content.decode().split())


def decide(job: Job, choice: Choice) -> None:
    row = BrokerageDecision.objects.create(
        at=NOW, site=choice.site or "", n_jobs=1, detail=choice.as_json()
    )
    Job.objects.filter(pk=job.pk).update(decision=row)


def event(state: str, at: dt.datetime, attempt: int = 1, **reason: Any) -> JobEvent:
    return JobEvent(to_state=state, at=at, attempt_nr=attempt, reason=reason)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("defined", "Waits for brokerage, for 5 min."),
        ("waiting", "goes on with the next sweep"),
        ("assigned", "Goes to AGLT2; its input is on the way for 5 min, 0 of 0 input files there."),
        ("activated", "Ready at AGLT2, waits for a pilot for 5 min (priority 700)."),
        ("sent", "Handed to a pilot at AGLT2 on wn01 for 5 min; last word 5 min ago, lease for"),
        ("starting", "Being prepared at AGLT2 on wn01 for 5 min"),
        ("running", "Runs at AGLT2 on wn01 for 5 min; last word 5 min ago, lease for another 1 h"),
        ("holding", "The payload is over (its pilot said finished)"),
        ("transferring", "Outputs travel to HOME for 5 min, 0 of 0 files there."),
        ("finished", "Finished at AGLT2 < 1 s after it was submitted."),
        ("failed", "Failed with pilot 1099: "),
        ("cancelled", "Cancelled by tests: no reason given."),
    ],
)
def test_the_page_says_what_the_job_is_doing(client: Client, state: str, words: str) -> None:
    # given
    site = None if state in ("defined", "waiting") else create_site("AGLT2")
    failed: dict[str, Any] = {"pilot_error_code": 1099} if state == "failed" else {}
    home = create_storage("HOME")
    # when
    job = create_job(state, site=site, current_priority=700, destination_se=home, **failed)
    # then
    assert words in told(client, job)["story"]
    assert f"<title>{state}: job {job.pk} · pandasite</title>" in page(client, job)


@pytest.mark.django_db
def test_a_job_without_a_site_says_why(client: Client) -> None:
    # given
    job = create_job("defined")
    decide(job, CHOICE)
    # then
    assert told(client, job)["story"] == f"Has no site yet: {CHOICE.reason}."


@pytest.mark.django_db
def test_a_waiting_job_names_the_input_that_nobody_knows(client: Client) -> None:
    # given
    job = create_job("waiting")
    for name in ("EVNT.1", "EVNT.2"):
        JobFile.objects.create(job=job, type="input", scope="mc09", lfn=name)
    # then
    assert "not known anywhere yet: EVNT.1 and 1 more" in told(client, job)["story"]


@pytest.mark.django_db
def test_a_job_to_be_killed_says_so(client: Client) -> None:
    # given
    job = create_job("running")
    services.kill(job.pk, actor="alice", reason="wrong geometry", now=NOW)
    # then
    assert "It is to be killed: alice: wrong geometry." in told(client, job)["story"]


@pytest.mark.django_db
def test_a_cancelled_job_says_who_and_why(client: Client) -> None:
    # given
    job = create_job("defined")
    services.kill(job.pk, actor="alice", reason="wrong geometry", now=NOW)
    # then
    assert told(client, job)["story"] == "Cancelled by alice: wrong geometry."


@pytest.mark.django_db
def test_a_pilot_that_took_a_kill_home_is_not_who_gave_it(client: Client) -> None:
    # given
    job = create_job("running")
    mine = Job.objects.filter(pk=job.pk)
    services.cancel_killed(mine, actor="pilot at wn01", now=NOW, why="alice: too slow")
    # then
    assert told(client, job)["story"] == "Cancelled: alice: too slow."


@pytest.mark.django_db
def test_the_decision_is_shown_site_by_site(client: Client) -> None:
    # given
    job = create_job("activated", site=create_site("AGLT2"))
    decide(job, CHOSEN)
    # when
    table = rows(tables(page(client, job))["decision"])
    # then
    assert texts(table["AGLT2"]) == ["AGLT2", "chosen", "0.5", "3", "smallest weight"]
    assert texts(table["MWT2"])[1:] == ["possible", "2", "0", "weight 2 is too big"]
    assert texts(table["LPC"])[1:] == ["memory", "", "0", "offers 2000 MB"]
    assert told(client, job)["decision"]["site"] == "AGLT2"


@pytest.mark.django_db
def test_files_are_shown_with_dataset_replicas_and_what_is_on_the_way(client: Client) -> None:
    # given
    site, away = create_site("AGLT2"), create_storage("BNL_DISK")
    dataset = create_dataset("mc09.evgen")
    file = create_file("EVNT.1", at=[local_storage(site)], dataset=dataset, size=771_100)
    create_replica(file, create_storage("LPC_DISK"), state="bad", reason="adler32 differs")
    create_transfer(file, away, attempts=2, error="no route")
    job = create_job("running", site=site, inputs=[file], outputs=["HIST.1"], dataset=dataset)
    # when
    table = tables(page(client, job))["files"]
    # then
    incoming, outgoing = texts(table[1]), texts(table[2])
    assert incoming[:6] == [
        "input", "mc09: EVNT.1", "mc09.evgen", "pending", "771.1 kB", file.adler32,
    ]  # fmt: skip
    assert "LPC_DISK bad: adler32 differs" in incoming[6]
    assert "queued to BNL_DISK, attempt 2: no route" in incoming[6]
    assert outgoing == ["output", "mc09: HIST.1", "mc09.evgen", "pending", "", "", ""]
    assert table[1][2].links == ["/datasets/mc09.evgen/"]
    assert {r["storage"] for r in told(client, job)["replicas"]["mc09:EVNT.1"]} == {
        "AGLT2_DISK", "LPC_DISK",
    }  # fmt: skip


@pytest.mark.django_db
def test_errors_are_shown_with_their_meaning_and_lead_to_others_like_them(client: Client) -> None:
    # given
    job = create_job("failed", ddm_error_code=200, ddm_error_diag="EVNT.1 is taken")
    # when
    row = tables(page(client, job))["errors"][1]
    # then
    assert texts(row) == ["ddm:200", errors.meaning("ddm", 200), "EVNT.1 is taken"]
    assert row[0].links == ["/jobs/?error=ddm:200"]


@pytest.mark.django_db
def test_a_job_and_its_successor_lead_to_each_other(client: Client) -> None:
    # given
    job = create_job("running", max_attempt=3)
    services.fail(Job.objects.filter(pk=job.pk), errors.LOST_HEARTBEAT, actor="watchdog", now=NOW)
    successor = Job.objects.get(retry_of=job.pk)
    # then
    assert f'Tried again as <a href="/jobs/{successor.pk}/">' in page(client, job)
    assert f'Successor of <a href="/jobs/{job.pk}/">' in page(client, successor)
    assert told(client, job)["successor"] == successor.pk


@pytest.mark.django_db
def test_the_end_of_the_output_is_plain_text(client: Client) -> None:
    # given
    job = create_job("running")
    JobOutput.objects.create(job=job, attempt_nr=1, tail="a < b\n<b>bold</b>", at=NOW)
    # when
    text = client.get(f"/jobs/{job.pk}/").content.decode()
    # then
    assert "a &lt; b\n&lt;b&gt;bold&lt;/b&gt;</pre>" in text
    assert told(client, job)["stdout_tail"] == "a < b\n<b>bold</b>"


@pytest.mark.django_db
def test_a_live_job_is_asked_for_again_and_a_final_one_is_not(client: Client) -> None:
    assert 'hx-trigger="every 10s"' in page(client, create_job("running"))
    assert "hx-trigger" not in page(client, create_job("finished"))


@pytest.mark.django_db
def test_the_page_of_a_job_with_many_files_takes_few_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    # given
    files = [create_file(at=[create_storage()]) for _ in range(20)]
    job = create_job("running", inputs=files)
    # then
    with django_assert_max_num_queries(14):
        client.get(f"/jobs/{job.pk}/")


def test_the_bar_is_as_long_as_the_whole_and_each_state_has_its_share() -> None:
    # given
    events = [
        event("defined", NOW),
        event("activated", after(minutes=10)),
        event("sent", after(minutes=40)),
    ]
    # when
    found = bars(events, now=after(minutes=60), final=False)
    # then
    assert [bar.seconds for bar in found] == [600, 1800, 1200]
    assert [bar.x for bar in found] == [0, found[0].width, found[0].width + found[1].width]
    assert abs(sum(bar.width for bar in found) - WIDTH) <= len(found)
    assert found[1].width > found[2].width > found[0].width


def test_a_short_state_can_be_seen_and_the_end_takes_no_room() -> None:
    # given
    events = [
        event("running", NOW),
        event("holding", after(days=2)),
        event("finished", after(days=2)),
    ]
    # when
    found = bars(events, now=after(days=9), final=True)
    # then
    assert [bar.state for bar in found] == ["running", "holding"]
    assert found[1].width >= 6


def test_a_clock_that_went_back_makes_no_negative_bar() -> None:
    found = bars([event("defined", NOW), event("sent", after(hours=-1))], now=NOW, final=False)
    assert found[0].seconds == 0


def test_each_attempt_is_shown_with_node_and_outcome() -> None:
    # given
    events = [
        event("activated", NOW, attempt=0),
        event("sent", after(minutes=1), node="wn1", pilot="p1"),
        event("running", after(minutes=2)),
        event("activated", after(minutes=9), diag="no heartbeat"),
        event("sent", after(minutes=10), attempt=2, node="wn2", pilot="p2"),
        event("holding", after(minutes=20), attempt=2, said="finished"),
        event("finished", after(minutes=21), attempt=2),
    ]
    # when
    first, second = attempts(events)
    # then
    assert (first.nr, first.node, first.until) == (1, "wn1", after(minutes=9))
    assert first.outcome == "activated: no heartbeat"
    assert (second.outcome, second.until) == ("holding: finished", after(minutes=20))


def test_each_state_has_a_sentence() -> None:
    from monitor.story import STORIES

    assert set(STORIES) == set(JobState)
