"""Deeds to many jobs: said before, done with a reason by those who may, and told for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from jobs import debug
from jobs.models import Job
from monitor import jobacts
from pandasite.base.models import AuditLine
from tests.builders import create_job, create_pilot_account, create_site, create_user, put_away

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client: Client) -> Client:
    """The owner of the jobs that the builders make."""
    client.force_login(create_user("alice"))
    return client


def operator(*codenames: str) -> Client:
    """Somebody with rights for the jobs of others."""
    user = create_user("olga")
    for codename in codenames:
        content_type = Permission.objects.get(codename="kill_any_job").content_type
        right, _made = Permission.objects.get_or_create(
            codename=codename, content_type=content_type, defaults={"name": codename}
        )
        user.user_permissions.add(right)
    browser = Client()
    browser.force_login(user)
    return browser


def ask(client: Client, action: str, jobs: Iterable[Job]) -> Any:
    return client.get("/jobs/act", {"action": action, "id": [job.pk for job in jobs]})


def do(client: Client, action: str, jobs: Iterable[Job], **more: Any) -> Any:
    given = {"reason": "wrong geometry", **more}
    ids = ",".join(str(job.pk) for job in jobs)
    return client.post("/jobs/act/do", {"action": action, "ids": ids, **given})


def words(answer: Any) -> dict[int, tuple[bool, str]]:
    assert answer.status_code == 200, answer.content
    return {line.job: (line.ok, line.words) for line in answer.context["lines"]}


def test_what_a_kill_would_come_to_is_said_before_anything_happens(alice: Client) -> None:
    # given
    jobs = [create_job(state) for state in ("activated", "running", "holding", "finished")]
    # when
    answer = ask(alice, "kill", jobs)
    # then
    assert [text for _, text in words(answer).values()] == [
        "is cancelled at once", "ends when its pilot calls next", "is holding: too late",
        "is finished already",
    ]  # fmt: skip
    assert "Kill: 2 of 4 jobs" in answer.text
    assert "1 job: is cancelled at once" in answer.text
    assert Job.objects.filter(state="cancelled").count() == 0


def test_debug_mode_is_switched_by_the_owner_while_the_job_lives(alice: Client) -> None:
    # given
    running, over = create_job("running"), create_job("finished")
    # when
    found = words(do(alice, "debug", [running, over]))
    # then
    assert found[running.pk] == (True, "its pilot is told: debug mode on")
    assert found[over.pk] == (False, f"job {over.pk} is finished: nothing of it runs any more")
    assert debug.orders([running.pk, over.pk]) == {running.pk: "debug"}
    page = alice.get(f"/jobs/{running.pk}/").text
    assert "Debug mode is on: alice" in page and "action=debugoff" in page
    do(alice, "debugoff", [running])
    assert debug.orders([running.pk]) == {running.pk: "debugoff"}
    assert AuditLine.objects.get(action="job_debugoff").reason == "wrong geometry"
    create_user("eve")
    stranger = Client()
    stranger.force_login(create_user("eve"))
    assert words(ask(stranger, "debug", [running]))[running.pk] == (
        False, "belongs to alice: needs the right jobs.kill_any_job",
    )  # fmt: skip


def test_a_kill_is_done_told_and_audited_job_by_job(alice: Client) -> None:
    # given
    waiting, running, over = [create_job(s) for s in ("activated", "running", "finished")]
    # when
    found = words(do(alice, "kill", [waiting, running, over]))
    # then
    assert found[waiting.pk] == (True, "cancelled")
    assert found[running.pk] == (True, "its pilot is told to end it")
    assert found[over.pk] == (False, f"job {over.pk} is finished already")
    assert Job.objects.get(pk=waiting.pk).state == "cancelled"
    assert Job.objects.get(pk=running.pk).command == "tobekilled"
    lines = AuditLine.objects.filter(action="job_kill").order_by("subject")
    assert {(x.subject, x.actor_name, x.reason) for x in lines} == {
        (f"job {job.pk}", "alice", "wrong geometry") for job in (waiting, running)
    }


def test_the_jobs_of_others_need_a_right(client: Client) -> None:
    # given
    job = create_job("activated")
    client.force_login(create_user("bob"))
    # then
    right = "belongs to alice: needs the right jobs.kill_any_job"
    assert words(ask(client, "kill", [job])) == {job.pk: (False, right)}
    assert words(do(client, "kill", [job])) == {job.pk: (False, right)}
    assert Job.objects.get().state == "activated"
    assert words(do(operator("kill_any_job"), "kill", [job]))[job.pk][0]


def test_failed_jobs_are_tried_again_also_from_the_archive(alice: Client) -> None:
    # given
    old = create_job("failed", attempt_nr=3, max_attempt=3)
    put_away()
    new, done = create_job("failed"), create_job("finished")
    assert [ok for ok, _ in words(ask(alice, "retry", [old, new, done])).values()] == [
        True, True, False,
    ]  # fmt: skip
    # when
    answer = do(alice, "retry", [old, new, done])
    # then
    assert [ok for ok, _ in words(answer).values()] == [True, True, False]
    successor = Job.objects.get(retry_of=old.pk)
    assert f'<a href="/jobs/{successor.pk}/">job {successor.pk}</a>' in answer.text
    assert AuditLine.objects.get(action="job_retry").reason == "wrong geometry"
    assert words(ask(alice, "retry", [old]))[old.pk] == (False, "has a successor already")
    again = "belongs to alice: needs the right jobs.retry_any_job"
    assert words(do(operator("kill_any_job"), "retry", [new]))[new.pk] == (False, again)


def test_the_priority_of_jobs_that_wait_is_changed(alice: Client, settings: Any) -> None:
    # given
    waiting, running = create_job("activated", current_priority=100), create_job("running")
    # when
    found = words(do(alice, "priority", [waiting, running], priority="-50"))
    # then
    assert found[waiting.pk] == (True, "priority -50")
    assert found[running.pk] == (False, f"job {running.pk} is running: it waits no longer")
    assert Job.objects.get(pk=waiting.pk).current_priority == -50
    assert AuditLine.objects.get().facts == {"outcome": "priority -50"}
    # and an owner gets no further than with a submission
    cap = settings.PANDASITE["USER_PRIORITY_CAP"]
    assert not words(do(alice, "priority", [waiting], priority=cap + 1))[waiting.pk][0]
    manager = operator("submit_production")
    assert words(do(manager, "priority", [waiting], priority=cap + 1))[waiting.pk][0]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"reason": " "}, "reason"), ({"reason": "x" * 256}, "reason"), ({"reason": "a\nb"}, "reason"),
     ({"action": "promote"}, "action"), ({"ids": "x"}, "id"), ({"ids": ""}, "id"),
     ({"ids": "0"}, "id"), ({"ids": "9" * 30}, "id"),
     ({"action": "priority", "priority": "high"}, "priority"),
     ({"action": "priority", "priority": "99999999"}, "priority")],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_as_a_whole(
    alice: Client, given: dict[str, str], field: str
) -> None:
    # given
    job = create_job("activated")
    whole = {"action": "kill", "ids": str(job.pk), "reason": "why", **given}
    # when
    answer = alice.post("/jobs/act/do", whole)
    # then
    assert answer.status_code == 400
    assert f"{field.capitalize()} must" in answer.text
    assert Job.objects.get().state == "activated"
    assert not AuditLine.objects.exists()


def test_all_jobs_of_a_search_are_chosen_at_once_up_to_a_bound(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    site = create_site("AGLT2")
    wanted = {create_job("activated", site=site).pk for _ in range(3)}
    create_job("activated")
    # when
    answer = alice.get("/jobs/act", {"action": "kill", "match": "state=activated&site=AGLT2"})
    # then
    assert set(words(answer)) == wanted
    assert alice.get("/jobs/act?action=kill&match=site%3DNOWHERE").status_code == 400
    monkeypatch.setattr(jobacts, "MOST", 2)
    many = alice.get("/jobs/act", {"action": "kill", "match": "site=AGLT2"})
    assert many.status_code == 413
    assert "At most 2 jobs at once" in many.text


def test_a_list_offers_deeds_to_those_who_have_logged_in(alice: Client) -> None:
    # given
    job = create_job("activated")
    # then
    text = alice.get("/jobs/?state=activated").text
    assert f'name="id"\n                       value="{job.pk}"' in text
    assert 'value="state=activated"' in text
    assert 'name="id"' not in Client().get("/jobs/?state=activated").text.replace(
        'id="goto"\n               name="id"', ""
    )


def test_who_is_nobody_does_nothing(client: Client) -> None:
    # given
    job = create_job("activated")
    # then
    assert ask(client, "kill", [job]).headers["Location"].startswith("/login/?next=/jobs/act")
    assert do(client, "kill", [job]).status_code == 302
    client.force_login(create_pilot_account(create_site()).user)
    assert do(client, "kill", [job]).status_code == 403
    assert Job.objects.get().state == "activated"


def test_no_deed_without_djangos_token_and_none_by_an_address() -> None:
    # given
    job = create_job("activated")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(create_user("alice"))
    # then
    assert do(browser, "kill", [job]).status_code == 403
    assert browser.get("/jobs/act/do").status_code == 405
    assert Client().post("/jobs/act").status_code == 405
