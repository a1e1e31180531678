"""Of claims that wait at the same time: who waits for whom, and who asks alone."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from brokerage.models import Site
from jobs import dispatch, many_claims
from jobs.models import Job, Pilot, PilotAccount
from pandasite.base.together import AllRefused
from tests.builders import create_job, create_pilot_account, create_site
from tests.jobs.crowd import Crowd, ask, lines, lock, threads
from tests.jobs.test_lock_order import until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["lines", "threads"]  # fixtures


def test_a_group_that_waits_for_a_site_holds_nothing_of_a_later_one(
    threads: ThreadPoolExecutor, pilots: PilotAccount
) -> None:
    # given two sites with a cap, of which the rows are there
    Site.objects.update(job_cap=100)
    early, late = pilots, create_pilot_account(create_site("MWT2_UC", job_cap=100))
    for nr, account in enumerate((early, late, early, late)):
        create_job("activated", site=account.site)
        if nr < 2:
            ask(account, f"known {nr}")
    asked = [values(late, "b"), values(early, "a")]

    # when a group asks in the other order, and the first site is held
    room = "1 FROM jobs_siteroom WHERE site_id = %s FOR UPDATE"
    with transaction.atomic():
        lock(room, [early.site_id])
        group = in_thread(threads, asked)
        until_it_waits(group)

        # then
        lock(f"{room} NOWAIT", [late.site_id])
    assert len(group.result(60)) == 2


def test_a_group_waits_for_all_its_pilots_before_it_locks_anything(
    threads: ThreadPoolExecutor, pilots: PilotAccount
) -> None:
    names = ("a", "b", "c", "d")
    for name in names:
        create_job("activated", site=pilots.site)
        ask(pilots, name, key=f"known.{name}")
    *others, last = sorted(names, key=lambda name: turn(pilots, name))
    asked = [values(pilots, name) for name in (last, *others)]

    with transaction.atomic():
        lock("pg_advisory_xact_lock(%s)", [turn(pilots, last)])
        group = in_thread(threads, asked)
        until_it_waits(group)

        rows = Pilot.objects.filter(pilot_id__in=names).select_for_update(nowait=True)
        assert len(rows) == len(names)
    assert len(group.result(60)) == len(names)


def test_a_key_that_is_being_answered_waits_for_no_turn(
    threads: ThreadPoolExecutor, pilots: PilotAccount
) -> None:
    create_job("activated", site=pilots.site)
    asked = [values(pilots, "a"), values(pilots, "b")]

    with transaction.atomic():
        ask(pilots, "a")
        answers = in_thread(threads, asked).result(60)

    assert [answer["outcome"] for answer in answers] == ["in_flight", "no_job"]


def turn(pilots: PilotAccount, name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_turn(%s, %s)", [pilots.site_id, name])
        return int(cursor.fetchone()[0])


def values(account: PilotAccount, name: str) -> dict[str, Any]:
    """The arguments of a claim, as they go into a group."""
    kept: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch.CLAIMS, "ask", lambda asked: kept.append(asked) or NOTHING)
        ask(account, name)
    return dict(kept[0])


NOTHING = {"outcome": "no_job", "text": None}


def in_thread(threads: ThreadPoolExecutor, asked: list[dict[str, Any]]) -> Future[Any]:
    return Crowd(threads).begin(lambda: many_claims.several(asked))


# -- who asks alone ----------------------------------------------------------------------------


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise AllRefused(OperationalError("asked with others"))

    monkeypatch.setattr(dispatch.CLAIMS, "ask", fail)


def test_who_wants_some_jobs_asks_alone(pilots: PilotAccount, no_groups: None) -> None:
    for _ in range(2):
        create_job("activated", site=pilots.site)

    assert len(ask(pilots, "a", n_jobs=2).jobs) == 2


def test_a_claim_that_is_part_of_a_transaction_stays_in_it(
    pilots: PilotAccount, no_groups: None
) -> None:
    create_job("activated", site=pilots.site)

    with transaction.atomic():
        assert len(ask(pilots, "a").jobs) == 1
        transaction.set_rollback(True)

    assert Job.objects.get().state == "activated"
