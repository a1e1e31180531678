"""A lost answer never strands a job: the same key and body get the same job again."""

import time
from contextlib import contextmanager
from threading import Barrier, Thread

import pytest
from django.db import connection, connections, transaction

from brokerage.models import Site
from jobs import closing, fsck, services, watch
from jobs.models import ClaimKey, Job
from pandasite.base.errors import Conflict, Unprocessable
from pandasite.base.sqlfile import sql_file
from tests.builders import NOW, after, create_job, create_pilot_account, create_site
from tests.jobs.asking import claim, say


@pytest.mark.django_db
class TestOneAfterTheOther:
    def test_the_same_key_and_body_get_the_same_job_and_lease(self, site, pilots):
        jobs = [create_job("activated", site=site) for _ in range(2)]

        first = claim(pilots, key="k")
        second = claim(pilots, key="k")

        assert first.job == second.job == jobs[0]
        assert first.lease_token == second.lease_token
        assert (first.replayed, second.replayed) == (False, True)

    def test_a_repeat_writes_nothing(self, site, pilots):
        job = create_job("activated", site=site)
        claim(pilots, key="k")
        before = Job.objects.values().get(), job.events.count()

        claim(pilots, key="k", now=after(minutes=1))

        assert (Job.objects.values().get(), job.events.count()) == before

    def test_the_same_key_with_another_body_is_refused(self, site, pilots):
        create_job("activated", site=site)
        claim(pilots, key="k", body="one")

        with pytest.raises(Unprocessable) as refusal:
            claim(pilots, key="k", body="two")

        assert refusal.value.code == "key_reused"

    def test_a_key_that_got_no_job_may_ask_again(self, site, pilots):
        assert claim(pilots, key="k").job is None

        job = create_job("activated", site=site)

        assert claim(pilots, key="k").job == job

    def test_keys_of_different_sites_do_not_meet(self, site, pilots):
        other = create_site("MWT2_UC")
        jobs = [create_job("activated", site=s) for s in (site, other)]

        claimed = [claim(p, key="k").job for p in (pilots, create_pilot_account(other))]

        assert claimed == jobs

    def test_a_key_whose_job_is_running_still_gets_it(self, site, pilots):
        job = create_job("activated", site=site)
        token = claim(pilots, key="k").lease_token
        say(pilots, job.pk, "running", lease_token=token)

        assert claim(pilots, key="k").job == job

    def test_a_key_whose_lease_was_taken_away_gets_no_job(self, site, pilots):
        create_job("activated", site=site)
        claim(pilots, key="k")
        watch.run(after(hours=1))

        again = claim(pilots, key="k", now=after(hours=1))

        assert (again.job, again.reason) == (None, "claim_expired")

    def test_a_key_does_not_get_the_next_attempt_that_another_pilot_has(self, site, pilots):
        create_job("activated", site=site)
        claim(pilots, key="k")
        watch.run(after(hours=1))
        second = claim(pilots, key="other", now=after(hours=1))

        again = claim(pilots, key="k", now=after(hours=1))

        assert second.job.attempt_nr == 2
        assert again.reason == "claim_expired"

    def test_a_key_whose_job_has_ended_gets_no_job(self, site, pilots):
        job = create_job("activated", site=site)
        claim(pilots, key="k")
        services.cancel_killed(Job.objects.filter(pk=job.pk), actor="t", now=NOW, why="test")

        assert claim(pilots, key="k").reason == "claim_expired"

    def test_keys_are_kept_for_a_day(self, site, pilots):
        create_job("activated", site=site)
        claim(pilots, key="k")

        closing.housekeep(after(hours=23))
        assert ClaimKey.objects.exists()

        closing.housekeep(after(hours=25))
        assert not ClaimKey.objects.exists()


def in_thread(work):
    """Run `work` on a connection of its own; what it raises is returned."""
    result = {}

    def run():
        try:
            result["value"] = work()
        except (Conflict, Unprocessable) as error:
            result["value"] = error
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    return thread, result


def wait_until_somebody_waits():
    """Until a connection of this database waits for a lock that another one holds."""
    deadline = time.monotonic() + 60
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT pg_stat_clear_snapshot(), count(*) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[1]:
                return
    raise AssertionError("nobody waits")


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_a_key_that_is_being_answered_must_come_again(self, site, pilots):
        create_job("activated", site=site)

        with transaction.atomic():
            claim(pilots, key="k")
            thread, result = in_thread(lambda: claim(pilots, key="k"))
            thread.join(60)

        assert result["value"].code == "in_flight"
        assert result["value"].extra["retry_after"] == 1
        assert claim(pilots, key="k").replayed

    def test_another_pilot_does_not_wait_for_the_first(self, site, pilots):
        jobs = [create_job("activated", site=site) for _ in range(2)]

        with transaction.atomic():
            claim(pilots, pilot_id="p1")
            thread, result = in_thread(lambda: claim(pilots, pilot_id="p2"))
            thread.join(60)

        assert result["value"].job == jobs[1]

    def test_some_jobs_are_found_behind_those_that_others_hold(self, site, pilots):
        for _ in range(20):
            create_job("activated", site=site, current_priority=9)
        free = [create_job("activated", site=site).pk for _ in range(2)]

        with transaction.atomic():
            claim(pilots, pilot_id="p1", n_jobs=20)
            thread, result = in_thread(lambda: claim(pilots, pilot_id="p2", n_jobs=2))
            thread.join(60)

        assert [job["panda_id"] for job in result["value"].jobs] == free

    def test_eight_pilots_take_forty_jobs_once_each(self, site, pilots):
        jobs = {create_job("activated", site=site, current_priority=i % 3).pk for i in range(40)}
        start = Barrier(8)

        def take_all(name):
            start.wait(60)
            mine = []
            while job := claim(pilots, pilot_id=name, node=name).job:
                mine.append(job.pk)
            return mine

        running = [in_thread(lambda name=f"p{i}": take_all(name)) for i in range(8)]
        for thread, _ in running:
            thread.join(60)

        taken = [pk for _, result in running for pk in result["value"]]
        assert len(taken) == len(set(taken))
        assert set(taken) == jobs
        assert set(Job.objects.values_list("attempt_nr", flat=True)) == {1}
        assert fsck.check() == []

    def test_without_its_guards_the_claim_would_give_a_job_twice(self, site, pilots):
        """The control: the races above can fail."""
        job = create_job("activated", site=site)

        with without_guards(), transaction.atomic():
            first = claim(pilots, pilot_id="p1").job
            thread, result = in_thread(lambda: claim(pilots, pilot_id="p2"))
            wait_until_somebody_waits()
        thread.join(60)

        assert first == result["value"].job == job

    def test_pilots_that_race_for_a_capped_site_stay_within_the_cap(self, site, pilots):
        Site.objects.update(job_cap=5)
        for _ in range(12):
            create_job("activated", site=site)
        start = Barrier(8)

        def take(name):
            start.wait(60)
            return claim(pilots, pilot_id=name).reason

        running = [in_thread(lambda name=f"p{i}": take(name)) for i in range(8)]
        for thread, _ in running:
            thread.join(60)

        reasons = [result["value"] for _, result in running]
        assert sorted(reasons) == [""] * 5 + ["site_full"] * 3
        assert Job.objects.filter(state="sent").count() == 5


@contextmanager
def without_guards():
    """A claim that reads without locking and does not look again before it writes."""
    kept = sql_file("jobs", "claims")
    careless = kept
    for guard in (
        "FOR UPDATE OF j SKIP LOCKED",
        "AND j.state = 'activated'",
        "AND state = 'activated'\n    RETURNING",
    ):
        assert guard in careless
        careless = careless.replace(guard, "RETURNING" if "RETURNING" in guard else "")
    try:
        run_sql(careless)
        yield
    finally:
        run_sql(kept)


def run_sql(text):
    with connection.cursor() as cursor:
        cursor.execute(text)
