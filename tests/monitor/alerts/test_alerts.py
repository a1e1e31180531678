"""Alerts: what they tell of a task, once, to whom, and by mail."""

from __future__ import annotations

import datetime as dt
import smtplib
from typing import Any

import pytest
from django.core import mail as letters
from django.test import Client

from jobs import tally, usage
from jobs.models import Task
from monitor.alerts import mail, sweep
from monitor.alerts.models import Alert, AlertNews
from monitor.alerts.rules import Standing, told
from pandasite.base.models import SweepRun
from tests.builders import NOW, create_job, create_site, create_user
from tests.identity.people import browser_of

HOUR = dt.timedelta(hours=1)
RULES = {
    "ended": ("ended", 0, "done", 5, 0, 0, "ended: done; 5 jobs finished, 0 failed"),
    "not yet ended": ("ended", 0, "running", 5, 0, 0, ""),
    "fails": ("fails", 20, "running", 3, 2, 0,
              "40 % failed, more than 20 %: 3 jobs finished, 2 failed"),
    "fails as much as it may": ("fails", 40, "running", 3, 2, 0, ""),
    "of four jobs nobody can tell": ("fails", 20, "running", 0, 4, 0, ""),
    "stuck": ("stuck", 6, "running", 3, 2, 7,
              "nothing changed for 7 h: running, 9 jobs under way"),
    "gets on": ("stuck", 6, "running", 3, 2, 5, ""),
    "what has ended is not stuck": ("stuck", 6, "done", 3, 2, 7, ""),
    "what somebody paused is not stuck": ("stuck", 6, "paused", 3, 2, 7, ""),
    "what had ended before is no news": ("ended", 0, "done", 5, 0, 30, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def test_an_alert_tells_what_it_was_asked_for(case: str) -> None:
    rule, level, state, finished, failed, hours_ago, words = RULES[case]
    alert = Alert(rule=rule, level=level, created_at=NOW - 24 * HOUR)
    task = Standing(
        task_id=7, state=state, finished=finished, failed=failed, waiting=9,
        changed=NOW - hours_ago * HOUR,
    )  # fmt: skip
    assert told(alert, task, now=NOW) == words


def task_of(name: str, *states: str) -> Task:
    task = Task.objects.create(
        name=f"task of {name}", owner=create_user(name), created_at=NOW - HOUR
    )
    site = create_site(f"SITE_OF_{name}")
    for state in states:
        create_job(state, site=site, task=task, at=NOW)
    return task


def counted() -> None:
    """As the sweeps do, in the order that leaves no gap."""
    tally.run(NOW)
    usage.run(NOW)
    for name, at in (("jobs.tally_live", NOW), ("jobs.sum_usage", NOW)):
        SweepRun.objects.update_or_create(
            name=name, defaults={"started_at": at, "ended_at": at, "last_ok_at": at, "ok": True}
        )


def alert_of(name: str, rule: str = "ended", **fields: Any) -> Alert:
    return Alert.objects.create(
        owner=create_user(name), rule=rule, created_at=NOW - 2 * HOUR, **fields
    )


def news() -> list[tuple[str, int]]:
    found = AlertNews.objects.order_by("pk").select_related("alert__owner")
    return [(one.alert.owner.get_username(), one.task_id) for one in found]


@pytest.mark.django_db
def test_everybody_is_told_once_of_tasks_of_his_own_or_that_he_named() -> None:
    # given
    ended, of_bob, at_work = (
        task_of("alice", "finished", "failed"), task_of("bob", "finished"),
        task_of("carol", "finished", "running"),
    )  # fmt: skip
    alert_of("alice"), alert_of("carol"), alert_of("dora", task_id=of_bob.pk)
    counted()
    # when
    first, second = sweep.run(NOW), sweep.run(NOW + HOUR)
    # then
    assert (first, second) == (2, 0)
    assert sorted(news()) == [("alice", ended.pk), ("dora", of_bob.pk)]
    assert at_work.pk not in {task for _name, task in news()}


@pytest.mark.django_db
def test_nothing_is_told_while_a_job_may_be_in_neither_sum() -> None:
    task_of("alice", "finished")
    alert_of("alice")
    counted()
    SweepRun.objects.filter(name="jobs.tally_live").update(last_ok_at=NOW + HOUR)

    assert sweep.run(NOW) == 0


@pytest.mark.django_db
def test_news_of_long_ago_is_forgotten() -> None:
    AlertNews.objects.create(alert=alert_of("alice"), task_id=7, text="x", at=NOW)
    sweep.run(NOW + dt.timedelta(days=61))
    assert news() == []


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_HOST, settings.PANDASITE_ADDRESS = "mail.example", "https://panda.example"


def to_be_mailed(name: str = "alice") -> AlertNews:
    alert = alert_of(name, mail=True)
    alert.owner.email = f"{name}@example.org"
    alert.owner.save()
    return AlertNews.objects.create(alert=alert, task_id=7, text="ended: done", at=NOW, mail_at=NOW)


@pytest.mark.django_db
def test_a_mail_goes_out_once(mailing: None) -> None:
    to_be_mailed()

    assert (mail.send(now=NOW), mail.send(now=NOW + HOUR)) == (1, 0)

    [letter] = letters.outbox
    assert (letter.to, letter.subject) == (["alice@example.org"], "task 7: ended")
    assert "https://panda.example/tasks/7/" in letter.body


@pytest.mark.django_db
def test_a_mail_that_does_not_go_is_tried_again_a_few_times(
    mailing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    to_be_mailed()
    tries: list[int] = []

    class Broken:
        def __enter__(self) -> Any:
            tries.append(1)
            raise smtplib.SMTPServerDisconnected("no")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(mail, "get_connection", lambda **_: Broken())
    # when
    sent = [mail.send(now=NOW + nr * HOUR) for nr in range(mail.MOST_TRIES + 2)]
    # then
    assert (sum(sent), len(tries)) == (0, mail.MOST_TRIES)


@pytest.mark.django_db
def test_an_address_that_is_refused_takes_no_other_mail_with_it(
    mailing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    refused, other = to_be_mailed("alice"), to_be_mailed("bob")
    tried: list[str] = []

    class Choosy:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def send_messages(self, letters: list[Any]) -> None:
            tried.extend(letters[0].to)
            if letters[0].to == ["alice@example.org"]:
                raise smtplib.SMTPRecipientsRefused({"alice@example.org": (550, b"unknown")})

    monkeypatch.setattr(mail, "get_connection", lambda **_: Choosy())
    # when
    assert mail.send(now=NOW) == 1
    # then
    assert sorted(tried) == ["alice@example.org", "bob@example.org"]
    for one in (refused, other):
        one.refresh_from_db()
    assert (refused.mailed_at, other.mailed_at) == (None, NOW)


@pytest.mark.django_db
def test_one_sets_an_alert_reads_what_it_told_and_takes_it_away() -> None:
    # given
    task = task_of("alice", "finished")
    alice = browser_of(create_user("alice"))
    # when
    alice.post("/alerts/new", {"task_id": task.pk, "rule": "fails", "level": "20"})
    [alert] = Alert.objects.all()
    AlertNews.objects.create(alert=alert, task_id=task.pk, text="40 % failed", at=NOW)
    # then
    assert f'href="/alerts/?task={task.pk}"' in alice.get(f"/tasks/{task.pk}/").text
    page = alice.get(f"/alerts/?task={task.pk}").text
    assert f'value="{task.pk}"' in page  # of the form
    assert "40 % failed" in page and "more than 20 % of its jobs failed" in page
    assert "<strong>1 new.</strong>" in page
    assert '<strong>1</strong><span class="sr"> new' in alice.get("/").text  # in each frame
    [row] = alice.get("/alerts/?format=json").json()["rows"]
    assert (row["task_id"], row["text"]) == (task.pk, "40 % failed")
    alice.post("/alerts/seen")
    assert "1 new" not in alice.get("/alerts/").text
    assert browser_of(create_user("bob")).post(
        "/alerts/remove", {"alert": alert.pk}
    ).status_code == 404  # fmt: skip
    alice.post("/alerts/remove", {"alert": alert.pk})
    assert not Alert.objects.exists()


WRONG = {
    "percent": ({"rule": "fails", "level": "100"}, "must be 1 to 99, not 100"),
    "no hours": ({"rule": "stuck"}, "must be 1 to 720, not None"),
    "no task": ({"rule": "ended", "task_id": "5"}, "there is no task 5"),
    "twice": ({"rule": "ended"}, "you have this alert already"),
    "no rule": ({"rule": "x"}, "Select a valid choice"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", WRONG)
def test_an_alert_that_cannot_be_says_why(case: str) -> None:
    form, words = WRONG[case]
    alert_of("alice")
    answer = browser_of(create_user("alice")).post("/alerts/new", form)
    assert (answer.status_code, Alert.objects.count()) == (400, 1)
    assert words in answer.text


@pytest.mark.django_db
def test_alerts_are_for_who_has_logged_in() -> None:
    assert Client().get("/alerts/").headers["Location"].startswith("/login/")
