"""Pilots that ask at the same time, and are held back until all of them wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction

from jobs import dispatch, many_claims
from jobs.identity import Caller
from jobs.models import PilotAccount
from pandasite.base.postgres.shared import Shared
from tests.jobs.asking import ABLE
from tests.jobs.test_lock_order import until_it_waits

FIRST = "first"  # the pilot whose turn the tests hold back


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections for claims of this test alone, on which nobody gives a lock up."""
    limits = connection.settings_dict["OPTIONS"]["options"] + " -c lock_timeout=60000"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", limits)
    monkeypatch.setattr(many_claims, "LINES", Shared(most=2))
    yield
    many_claims.LINES.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def ask(account: PilotAccount, name: str, *, token: str | None = None, **more: Any) -> Any:
    """A claim of this pilot, with a key of the same name."""
    return dispatch.claim(
        caller=Caller.of(account, token=token),
        facts=dispatch.Facts(**ABLE | {"pilot_id": name}),
        **{"key": name, "body_sha256": "body"} | more,
    )


def given(claimed: Any) -> list[int]:
    return [job["panda_id"] for job in claimed.jobs]


class Crowd:
    """Pilots that ask while the first one, who leads, is held back: all others are one group."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.threads = threads
        self.asked: list[Future[Any]] = []

    def ask(self, account: PilotAccount, name: str, **more: Any) -> None:
        """A claim of this pilot."""
        self.wait(lambda: ask(account, name, **more))

    def wait(self, work: Callable[[], object]) -> None:
        """Until it waits for the others."""
        self.begin(work)
        while len(dispatch.CLAIMS._waiting) < len(self.asked) - 1:
            assert not self.asked[0].done()

    def begin(self, work: Any) -> Future[Any]:
        def closing() -> Any:
            try:
                return work()
            finally:
                connections.close_all()

        self.asked.append(self.threads.submit(closing))
        return self.asked[-1]

    def answers(self) -> list[Any]:
        """What each got, or what it was refused with; the first one is left out."""
        found = [one.exception(60) or one.result() for one in self.asked]
        return found[1:]


@contextmanager
def crowd(threads: ThreadPoolExecutor, pilots: PilotAccount) -> Iterator[Crowd]:
    """Within it, the group waits; nobody loses patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch.CLAIMS, "_may_lead", 1)
        patch.setattr(dispatch.CLAIMS, "_patience", 60)
        patch.setattr(dispatch.CLAIMS, "_rest_until", 0)
        made = Crowd(threads)
        with transaction.atomic():
            lock("pg_advisory_xact_lock(jobs_turn(%s, %s))", [pilots.site_id, FIRST])
            until_it_waits(made.begin(lambda: ask(pilots, FIRST)))
            yield made


def lock(expression: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}", values)


def transactions(*names: str) -> int:
    """In how many transactions the answers to these keys were written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT xmin::text), count(*) FROM jobs_claimkey WHERE key = ANY (%s)",
            [[*names]],
        )
        found, keys = cursor.fetchone()
    assert keys == len(names)
    return int(found)
