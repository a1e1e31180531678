"""Two machines, each with web server, workers and beat, on one PostgreSQL and one broker."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import connection

from jobs.models import Job, JobEvent
from jobs.states import JobState
from pandasite.base.models import SweepRun
from pandasite.celery import SWEEPS
from tests.flow.installation import eventually
from tests.scale.pilots import Pilot, at_once
from tests.scale.site import PLACE, SWEEP_SECONDS, Host, ScaleSite, hosts

pytestmark = pytest.mark.faults
JOBS = 60
PILOTS = 6
OFTEN = [name for name, rounds in SWEEPS.items() if rounds == 1]
ROUNDS_WATCHED = 10

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def pair(site: ScaleSite) -> Iterator[tuple[Host, ...]]:
    """Both start at the same moment: both beats write their timetable into an empty table."""
    names = {"a": "127.0.0.2", "b": "127.0.0.3"}
    started = [site.start_host(n, address, site.environment(n)) for n, address in names.items()]
    with hosts(site, *started) as pair:
        yield pair


def crew(site: ScaleSite, *found: Host) -> list[Pilot]:
    """Pilots that go from host to host."""
    urls = [host.url for host in found]
    pilots = [Pilot(urls=urls, token=site.pilot_token, place=PLACE) for _ in range(PILOTS)]
    for pilot in pilots[::2]:
        pilot.turn()
    return pilots


def test_jobs_claimed_at_one_host_and_reported_at_the_other_end_once(
    site: ScaleSite, pair: tuple[Host, ...]
) -> None:
    # given a production of which each host was told a half
    panda_ids = [
        one for host in pair for one in site.manager(host).submit(place=PLACE, number=JOBS // 2)
    ]
    site.await_state(panda_ids, JobState.ACTIVATED)

    # when
    pilots = crew(site, *pair)
    done = at_once([pilot.work for pilot in pilots])

    # then
    assert sum(done) == JOBS
    used = Counter(answer.url for pilot in pilots for answer in pilot.answers)
    assert set(used) == {host.url for host in pair}
    site.await_state(panda_ids, JobState.FINISHED)
    assert lapses(site, panda_ids) == []
    assert site.fsck() == []


def test_an_answer_that_one_host_lost_is_given_by_the_other(
    site: ScaleSite, pair: tuple[Host, ...]
) -> None:
    # given claims of which the answers did not arrive
    panda_ids = site.manager(pair[0]).submit(place=PLACE, number=PILOTS)
    site.await_state(panda_ids, JobState.ACTIVATED)
    pilots = crew(site, *pair)
    at_once([pilot.claim for pilot in pilots])

    # when each is asked again with the same key, now at the other host
    at_once([lambda pilot=pilot: pilot.claim(key=pilot.answers[0].key) for pilot in pilots])

    # then it is the same job under the same lease
    for pilot in pilots:
        first, again = pilot.answers
        assert first.url != again.url
        assert first.job == again.job
        pilot.run(again.job)
    site.await_state(panda_ids, JobState.FINISHED)
    assert lapses(site, panda_ids) == []


def test_every_sweep_runs_on_both_hosts_and_two_timetables_make_one(
    site: ScaleSite, pair: tuple[Host, ...]
) -> None:
    # given
    eventually(lambda: len(runs(site)) == len(OFTEN))
    begun, before, seen, connected = time.monotonic(), runs(site), set(), sessions(site)

    def both_were_seen() -> bool:
        with site.books():
            seen.update(SweepRun.objects.filter(name__in=OFTEN).values_list("name", "host"))
        return seen == {(name, host.name) for name in OFTEN for host in pair}

    # when they have run for some rounds with nothing to do
    time.sleep(ROUNDS_WATCHED * SWEEP_SECONDS)
    rounds = (time.monotonic() - begun) / SWEEP_SECONDS
    after, after_all = runs(site), sessions(site)

    # then the second message of a round has not been a second round
    log.info("rounds of %d sweeps in %.1f s: %s", len(OFTEN), rounds, after - before)
    most = max((after - before).values())
    assert 1 <= most <= 1.5 * rounds + 2
    eventually(both_were_seen, what=lambda: str(sorted(seen)))
    assert site.sweep_errors() == []
    # and nobody has connected anew for each of them, which are many in a round; some are ours
    assert after_all - connected < 2 * rounds < len(OFTEN) * rounds


def test_workers_and_web_come_through_the_loss_of_their_connections(
    site: ScaleSite, pair: tuple[Host, ...]
) -> None:
    # given
    with site.books(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] >= len(pair)
    lost = runs(site)

    # when
    eventually(lambda: all(runs(site)[name] > lost[name] + 1 for name in OFTEN))
    panda_ids = site.manager(pair[1]).submit(place=PLACE, number=PILOTS)
    site.await_state(panda_ids, JobState.ACTIVATED)
    at_once([pilot.work for pilot in crew(site, *pair)])

    # then
    site.await_state(panda_ids, JobState.FINISHED)
    eventually(lambda: site.sweep_errors() == [])


def test_a_host_that_is_lost_leaves_its_jobs_to_the_other(
    site: ScaleSite, pair: tuple[Host, ...]
) -> None:
    # given pilots that have claimed at both hosts
    panda_ids = site.manager(pair[0]).submit(place=PLACE, number=2 * PILOTS)
    site.await_state(panda_ids, JobState.ACTIVATED)
    pilots = crew(site, *pair)
    claimed = at_once([pilot.claim for pilot in pilots])

    # when one of the hosts is gone
    pair[0].kill()
    at_once([lambda pilot=p, job=j: pilot.run(job) for p, j in zip(pilots, claimed, strict=True)])
    at_once([pilot.work for pilot in pilots])

    # then the other has done it all, and its sweeps go on
    site.await_state(panda_ids, JobState.FINISHED)
    assert lapses(site, panda_ids) == []
    assert site.fsck() == []


def lapses(site: ScaleSite, panda_ids: list[int]) -> list[str]:
    """Jobs that ran more than once, or whose history has not exactly one end."""
    with site.books():
        ends = JobEvent.objects.filter(job__in=panda_ids, to_state=JobState.FINISHED)
        count = Counter(ends.values_list("job", flat=True))
        tries = dict(Job.objects.filter(pk__in=panda_ids).values_list("pk", "attempt_nr"))
    return [
        f"job {pk}: {tries.get(pk)} attempts, finished {count[pk]} times"
        for pk in panda_ids
        if (tries.get(pk), count[pk]) != (1, 1)
    ]


def runs(site: ScaleSite) -> Counter[str]:
    """How often each of the frequent sweeps has run."""
    with site.books():
        return Counter(dict(SweepRun.objects.filter(name__in=OFTEN).values_list("name", "runs")))


def sessions(site: ScaleSite) -> int:
    """How many connections there have been to the database."""
    with site.books(), connection.cursor() as cursor:
        cursor.execute("SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
