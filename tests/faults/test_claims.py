"""F3 and F28: many pilots at once want the same jobs, and a site may run only so many."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from jobs.models import Job
from jobs.states import LEASED, JobState
from tests.faults.books import Books
from tests.faults.checker import double_moves, given_twice, lapses, lost_claims
from tests.faults.control import WRITE, without_guards
from tests.faults.crews import Crew, taker
from tests.faults.pilots import Pilot
from tests.faults.sizes import quick, sized

log = logging.getLogger(__name__)

PILOTS = 16
PLACES = 5
CAP = 50
HOARD = 8  # jobs that one pilot holds: together they want more than the cap
LOOK_SECONDS = 0.05


@sized("jobs", quick_size=1000, full_size=10_000)
def test_each_job_is_given_to_one_pilot(patient: Books, jobs: int) -> None:
    # given
    places = [patient.place() for _ in range(PLACES)]
    panda_ids = [pk for place in places for pk in patient.submit(place, jobs // PLACES)]
    patient.await_states(panda_ids, JobState.ACTIVATED, seconds=600)

    # when
    pilots = [patient.pilot(places[nr % PLACES]) for nr in range(PILOTS)]
    Crew([taker(pilot) for pilot in pilots]).finish()

    # then
    log.info("%s", patient.history.summary())
    given = [one.job["panda_id"] for one in patient.history.claims() if one.job]
    assert sorted(given) == sorted(panda_ids)
    with patient.site.books():
        assert [*given_twice(patient.history), *lost_claims(patient.history)] == []
        assert list(double_moves(panda_ids)) == []
        assert largest_group() > 1  # they did ask together


def largest_group() -> int:
    """How many claims at most were one transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM jobs_claimkey GROUP BY xmin::text ORDER BY 1 DESC")
        return int(cursor.fetchone()[0])


@quick
@pytest.mark.parametrize(
    ("jobs", "clients"), [pytest.param(300, PILOTS, id="F3"), pytest.param(10, 60, id="F27")]
)
def test_pilots_that_read_before_they_write_get_the_same_jobs(
    patient: Books, jobs: int, clients: int
) -> None:
    """The control, of the herd as well: a claim in two statements, as the first dispatchers had."""
    # given
    place = patient.place()
    panda_ids = patient.activated(place, jobs)

    # when
    with without_guards(patient, panda_ids) as copy:
        copy.race(read_then_write, clients=clients)

        # then
        found = copy.lapses(lambda: double_moves(panda_ids))
    log.info("%d jobs were given twice", len(found))
    assert any("became sent" in lapse for lapse in found)


def read_then_write(cursor: Any) -> None:
    while True:
        cursor.execute(
            "SELECT panda_id FROM jobs_job WHERE state = 'activated'"
            " ORDER BY current_priority DESC, panda_id LIMIT 1"
        )
        row = cursor.fetchone()
        if row is None:
            return
        cursor.execute(WRITE, {"job": row[0], "was": "activated", "to": "sent"})


@sized("jobs", quick_size=300, full_size=1000)
def test_a_site_never_runs_more_than_its_cap(patient: Books, jobs: int) -> None:
    # given a site that may run fifty
    place = patient.place(job_cap=CAP)
    panda_ids = patient.activated(place, jobs)

    # when sixteen pilots want more than that, and we look all the time
    crew = Crew([hoarder(patient.pilot(place)) for _ in range(PILOTS)])
    seen = []
    while crew.busy:
        seen.append(held_at(patient, place.pk))
        time.sleep(LOOK_SECONDS)
    crew.finish()
    patient.await_states(panda_ids, JobState.FINISHED)

    # then
    log.info("at most %d in %d looks; %s", max(seen), len(seen), patient.history.summary())
    assert max(seen) <= CAP
    assert max(seen) > CAP - PILOTS  # it was wanted
    assert lapses(patient, panda_ids) == []


@quick
def test_a_cap_that_is_counted_before_the_claim_is_passed(patient: Books) -> None:
    """The control: the count is one statement, the claim is the next."""
    # given
    place = patient.place()
    panda_ids = patient.activated(place, 2 * CAP)

    # when
    with without_guards(patient, panda_ids) as copy:
        copy.race(count_then_claim, clients=PILOTS)

        # then
        with copy.read():
            held = held_at(patient, place.pk, within=False)
    log.info("%d jobs under a cap of %d", held, CAP)
    assert held > CAP


def hoarder(pilot: Pilot) -> Callable[[], None]:
    """Holds as many jobs as it gets, up to eight, and ends the oldest when it gets no more."""

    def work() -> None:
        held: list[dict[str, Any]] = []
        while True:
            job = pilot.claim() if len(held) < HOARD else None
            if job is not None:
                held.append(job)
            elif held:
                pilot.report(held.pop(0), "finished", seq=1)
            else:
                break

    return work


def held_at(books: Books, site: int, *, within: bool = True) -> int:
    """Jobs of the site that pilots hold at this moment."""
    if within:
        with books.site.books():
            return held_at(books, site, within=False)
    return Job.objects.filter(computing_site=site, state__in=LEASED).count()


def count_then_claim(cursor: Any) -> None:
    while True:
        cursor.execute("SELECT count(*) FROM jobs_job WHERE state = 'sent'")
        if cursor.fetchone()[0] >= CAP:
            return
        cursor.execute("SELECT pg_sleep(0.002)")
        cursor.execute(
            "UPDATE jobs_job SET state = 'sent' WHERE panda_id = (SELECT panda_id FROM jobs_job"
            " WHERE state = 'activated' ORDER BY panda_id LIMIT 1 FOR UPDATE SKIP LOCKED)"
        )
