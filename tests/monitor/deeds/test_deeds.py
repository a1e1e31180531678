"""Deeds: everybody who reads sees who did what to the grid, and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from brokerage.services import set_site_status
from pandasite.base import audit
from pandasite.base.clock import database_now
from tests.builders import create_job, create_site, create_user

pytestmark = pytest.mark.django_db


def rows(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/deeds/?format=json{query}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def done(subject: str, *, action: str = "job_kill", days_ago: float = 0, **facts: Any) -> None:
    now = database_now() - dt.timedelta(days=days_ago)
    audit.record(
        actor=create_user("olga"), action=action, subject=subject, reason="wrong <b>geometry</b>",
        now=now, facts=facts,
    )  # fmt: skip


def test_each_deed_says_who_why_and_to_what(client: Client) -> None:
    # given
    job, site = create_job(), create_site("AGLT2")
    set_site_status(site, "offline", author="alice", reason="power cut", now=database_now())
    done(f"job {job.pk}", outcome="cancelled")
    # when
    found = rows(client)
    page = client.get("/deeds/").text
    # then
    assert [(row["actor_name"], row["reason"]) for row in found] == [
        ("olga", "wrong <b>geometry</b>"), ("alice", "power cut"),
    ]  # fmt: skip
    assert f'href="/jobs/{job.pk}/"' in page and "outcome: cancelled" in page
    assert "wrong &lt;b&gt;geometry" in page


def test_deeds_are_found_by_who_what_and_when(client: Client) -> None:
    done("job 1")
    done("site AGLT2", action="site_status", days_ago=20)
    done("olga", action="token_made")

    assert [row["subject"] for row in rows(client)] == ["job 1"]
    assert [row["subject"] for row in rows(client, "&window=30d&action=site")] == ["site AGLT2"]
    create_user("bob")
    assert rows(client, "&actor=bob") == []
    assert client.get("/deeds/?actor=bbo").status_code == 400
    assert rows(client, "&subject=job 2") == []
    assert client.get("/deeds/?window=2d").status_code == 400
