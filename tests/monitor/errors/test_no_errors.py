"""Where nothing has failed, the summary of errors says so, and what to do."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.builders import NOW, create_job

pytestmark = pytest.mark.django_db


def test_nothing_failed_is_said_with_what_to_do(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.errors.views.database_now", lambda: NOW)
    assert "No job failed here" in client.get("/errors/").text
    create_job("finished", at=NOW)
    assert "<strong>No failure.</strong>" in client.get("/errors/").text
