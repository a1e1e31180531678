"""Filters of big tables: they find rows, and look at the last ones only."""

from __future__ import annotations

import pytest
from django.db.models import Model
from django.test import Client

from datasets.models import File
from jobs.models import AnyJobEvent, BrokerageDecision, Job
from pandasite.base import admin_kit
from pandasite.base.models import AuditLine
from tests import builders as make
from tests.admin.pages import address
from tests.builders import NOW

pytestmark = pytest.mark.django_db


def listed(client: Client, model: type[Model], **query: str) -> list[Model]:
    page = client.get(address(model, "changelist"), query)
    assert page.status_code == 200
    return list(page.context["cl"].result_list)


def offered(client: Client, model: type[Model]) -> set[str]:
    """The values of the model's only filter."""
    (found,) = client.get(address(model, "changelist")).context["cl"].filter_specs
    return {value for value, _title in found.lookup_choices}


def event_of(job: Job) -> AnyJobEvent:
    return AnyJobEvent.objects.get(job=job.pk)


def test_events_are_filtered_by_the_state_they_led_to(root: Client) -> None:
    make.create_job("running")
    failed = make.create_job("failed")
    assert offered(root, AnyJobEvent) == {"failed", "running"}
    assert listed(root, AnyJobEvent, to_state="failed") == [event_of(failed)]


def test_decisions_are_filtered_by_site_and_those_without_one_are_found(root: Client) -> None:
    placed, refused = (
        BrokerageDecision.objects.create(at=NOW, site=site, n_jobs=1, detail={})
        for site in ("AGLT2", "")
    )
    assert offered(root, BrokerageDecision) == {"AGLT2", "-"}
    assert listed(root, BrokerageDecision, site="AGLT2") == [placed]
    assert listed(root, BrokerageDecision, site="-") == [refused]


def test_files_are_filtered_by_scope(root: Client) -> None:
    make.create_file()
    other = make.create_file(scope="user.alice")
    assert listed(root, File, scope="user.alice") == [other]


def test_the_audit_log_is_filtered_by_action(root: Client) -> None:
    lines = [
        AuditLine.objects.create(at=NOW, actor_name="a", action=action, subject="s", reason="r")
        for action in ("job_kill", "site_status")
    ]
    assert listed(root, AuditLine, action="job_kill") == [lines[0]]


def test_a_search_without_an_index_looks_at_the_last_rows_only(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_kit, "RECENT", 2)
    first, *others = [make.create_job() for _ in range(3)]
    assert len(listed(root, AnyJobEvent, q="tests")) == len(others)
    assert listed(root, AnyJobEvent, q=str(first.pk)) == [event_of(first)]


def test_a_filter_looks_at_the_last_rows_only(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_kit, "RECENT", 2)
    jobs = [make.create_job("failed") for _ in range(3)]
    found = listed(root, AnyJobEvent, to_state="failed")
    assert found == [event_of(job) for job in reversed(jobs[1:])]
    assert len(listed(root, AnyJobEvent)) == 3
