"""Claims that wait at the same time are one transaction, and none answers for another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from brokerage.models import Site
from jobs import dispatch, fsck, many_claims
from jobs.identity import TokenGone
from jobs.models import ClaimKey, Job, Pilot, PilotAccount
from tests.builders import create_job, create_pilot_account, create_site
from tests.jobs.crowd import FIRST, ask, crowd, given, lines, lock, threads, transactions
from tests.jobs.test_lock_order import until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["lines", "threads"]  # fixtures
HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"


def test_those_who_wait_get_their_jobs_in_one_transaction(
    threads: ThreadPoolExecutor, pilots: PilotAccount
) -> None:
    # given
    other = create_pilot_account(create_site("MWT2_UC"))
    theirs = [create_job("activated", site=site) for site in (other.site, pilots.site, pilots.site)]

    # when
    with crowd(threads, pilots) as all_of_them:
        for account, name in ((pilots, "a"), (other, "b"), (pilots, "c"), (other, "d")):
            all_of_them.ask(account, name)
    a, b, c, d = all_of_them.answers()

    # then each as if it had asked alone
    assert given(b) == [theirs[0].pk]
    assert sorted(given(a) + given(c) + given(all_of_them.asked[0].result())) == sorted(
        job.pk for job in theirs[1:]
    )
    assert d.reason == "no_job"
    assert {*Pilot.objects.values_list("pilot_id", "claims")} == {(n, 1) for n in (FIRST, *"abcd")}
    assert transactions(*ClaimKey.objects.exclude(key=FIRST).values_list("key", flat=True)) == 1
    assert fsck.check() == []


def test_a_refusal_is_of_its_own_claim(threads: ThreadPoolExecutor, pilots: PilotAccount) -> None:
    Site.objects.update(job_cap=3)
    for _ in range(5):
        create_job("activated", site=pilots.site)
    ask(pilots, "used")

    with crowd(threads, pilots) as all_of_them:
        all_of_them.ask(pilots, "stranger", token="0" * 128)
        all_of_them.ask(pilots, "used", body_sha256="another")
        all_of_them.ask(pilots, "one")
        all_of_them.ask(pilots, "too many")
    stranger, used, one, too_many = all_of_them.answers()

    assert isinstance(stranger, TokenGone)
    assert used.code == "key_reused"
    assert len(one.jobs) == 1
    assert (too_many.reason, too_many.jobs) == ("site_full", ())
    assert not Pilot.objects.filter(pilot_id="stranger").exists()
    assert Job.objects.filter(state="sent").count() == 3
    assert fsck.check() == []


def test_two_claims_of_a_pilot_are_answered_one_after_the_other(
    threads: ThreadPoolExecutor, pilots: PilotAccount
) -> None:
    for _ in range(4):
        create_job("activated", site=pilots.site)

    with crowd(threads, pilots) as all_of_them:
        for name, key in (("a", "1"), ("a", "2"), ("b", "3")):
            all_of_them.ask(pilots, name, key=key)
    answers = all_of_them.answers()

    assert len({pk for one in answers for pk in given(one)}) == 3
    assert transactions("1", "3") == 1
    assert transactions("1", "2", "3") == 2
    assert Pilot.objects.get(pilot_id="a").claims == 2
    assert fsck.check() == []


@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"], ids=["in it", "at its commit"])
def test_an_error_of_one_is_told_to_it_alone(
    threads: ThreadPoolExecutor, pilots: PilotAccount, when: str
) -> None:
    # given a claim that breaks something, as late as its commit
    for _ in range(4):
        create_job("activated", site=pilots.site)
    with broken_for("bad", when):
        # when
        with crowd(threads, pilots) as all_of_them:
            for name in ("a", "bad", "c"):
                all_of_them.ask(pilots, name)
        a, bad, c = all_of_them.answers()

    # then
    assert "broken for bad" in str(bad)
    assert len({*given(a), *given(c)}) == 2
    assert transactions("a", "c") == 2
    assert not ClaimKey.objects.filter(key="bad").exists()
    assert Job.objects.filter(state="sent").count() == 3
    assert fsck.check() == []


@contextmanager
def broken_for(key: str, when: str) -> Iterator[None]:
    """A claim with this key fails in the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE 'broken for {key}'; END $$;"
            " CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON jobs_claimkey"
            f" DEFERRABLE INITIALLY {when} FOR EACH ROW WHEN (NEW.key = '{key}')"
            " EXECUTE FUNCTION broken()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP TRIGGER broken ON jobs_claimkey; DROP FUNCTION broken()")


def test_a_group_whose_connection_is_cut_is_asked_again_one_by_one(
    threads: ThreadPoolExecutor, pilots: PilotAccount
) -> None:
    for _ in range(3):
        create_job("activated", site=pilots.site)

    a, b = of_a_group_that_is_cut(threads, pilots)

    assert len({*given(a), *given(b)}) == 2
    assert transactions("a", "b") == 2


def test_where_that_took_long_each_is_told_so(
    threads: ThreadPoolExecutor, pilots: PilotAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_job("activated", site=pilots.site)
    monkeypatch.setattr(many_claims, "LATE_SECONDS", 0)

    errors = of_a_group_that_is_cut(threads, pilots)

    assert [type(error) for error in errors] == [OperationalError] * 2  # which is a 503
    assert ClaimKey.objects.count() <= 1


def of_a_group_that_is_cut(threads: ThreadPoolExecutor, pilots: PilotAccount) -> list[Any]:
    """What two claims get whose group waits for a pilot of theirs when its server process ends."""
    with crowd(threads, pilots) as all_of_them:
        all_of_them.ask(pilots, "a")
        all_of_them.ask(pilots, "b")
        lock("pg_advisory_lock(jobs_turn(%s, 'a'))", [pilots.site_id])
    all_of_them.asked[0].result(60)
    try:
        until_it_waits(all_of_them.asked[1])
        lock(f"pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND {HERE}", [])
        while dispatch.CLAIMS._leaders and not all_of_them.asked[1].done():
            pass
    finally:
        lock("pg_advisory_unlock(jobs_turn(%s, 'a'))", [pilots.site_id])
    return all_of_them.answers()
