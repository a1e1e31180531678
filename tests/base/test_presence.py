"""A process that is there says so; one that is gone is missed until another does its work."""

from __future__ import annotations

import os
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings

from pandasite import __version__
from pandasite.base import broker, presence
from pandasite.base.models import ServerProcess
from pandasite.base.presence import Presence
from tests.builders import NOW, after

pytestmark = pytest.mark.django_db


def gone(*, role: str = "web", work: str = "", host: str = "", silent: int) -> ServerProcess:
    """A process that gave its last sign of life so many seconds before NOW."""
    return ServerProcess.objects.create(
        host=host or settings.PANDASITE_HOST,
        role=role,
        work=work,
        pid=1,
        version="1",
        started_at=after(days=-9),
        seen_at=after(seconds=-silent),
    )


def test_a_process_has_one_row_that_is_renewed() -> None:
    # given
    process = Presence("worker", "celery")
    # when
    process.beat(now=NOW)
    process.beat(now=after(seconds=20))
    # then
    row = ServerProcess.objects.get()
    assert (row.host, row.pid, row.role) == (settings.PANDASITE_HOST, os.getpid(), "worker")
    assert (row.started_at, row.seen_at) == (NOW, after(seconds=20))
    assert row.memory_mb > 10
    assert row.version == __version__


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())
    assert __version__ == project["project"]["version"]


def test_one_that_ends_in_order_is_not_missed() -> None:
    process = Presence("web")
    process.beat(now=NOW)

    process.leave()

    assert not ServerProcess.objects.exists()


def test_a_killed_one_is_forgotten_once_another_has_its_place() -> None:
    gone(silent=61)

    Presence("web").beat(now=NOW)

    assert ServerProcess.objects.get().pid == os.getpid()


@pytest.mark.parametrize(
    "other",
    [
        {"silent": 50},
        {"silent": 61, "role": "worker"},
        {"silent": 61, "host": "elsewhere"},
        {"silent": 61, "work": "transfers"},
    ],
)
def test_one_that_nobody_stands_for_is_kept_for_a_day(other: dict[str, Any]) -> None:
    row = gone(**other)

    Presence("web").beat(now=NOW)
    assert ServerProcess.objects.filter(pk=row.pk).exists()

    Presence("web").beat(now=after(days=1))
    assert not ServerProcess.objects.filter(pk=row.pk).exists()


def test_the_broker_is_asked_for_its_facts(broker: Any) -> None:
    broker.rpush("transfers", "one", "two")

    found = presence.broker.look(["celery", "transfers"])

    assert found is not None
    assert found.waiting == {"celery": 0, "transfers": 2}
    assert found.ms > 0
    assert found.version[0].isdigit()
    assert found.memory_bytes > 100_000


def test_a_broker_that_is_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:  # bound, and listens to nothing
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        monkeypatch.setattr(broker, "current_app", Celery(broker=url, set_as_current=False))
        assert broker.look(["celery"]) is None
        Presence("web").beat(now=NOW)
    assert ServerProcess.objects.get().broker_ms is None
