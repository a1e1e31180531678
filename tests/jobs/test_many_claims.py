"""Claims that wait at the same time are one transaction, and none answers for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from brokerage.models import Site
from jobs import dispatch, fsck, many_claims
from jobs.identity import Caller, TokenGone
from jobs.models import ClaimKey, Job, Pilot, PilotAccount
from pandasite.base.postgres.shared import Shared
from pandasite.base.together import AllRefused
from tests.builders import create_job, create_pilot_account, create_site
from tests.jobs.asking import ABLE
from tests.jobs.test_lock_order import until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
FIRST = "first"  # the pilot whose turn the tests hold back


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


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections of this test, on which nobody gives a lock up."""
    limits = connection.settings_dict["OPTIONS"]["options"] + " -c lock_timeout=60000"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", limits)
    monkeypatch.setattr(many_claims, "LINES", Shared(most=2))
    yield
    many_claims.LINES.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


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


# -- who waits for whom ------------------------------------------------------------------------


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
