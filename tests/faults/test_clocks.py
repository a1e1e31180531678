"""F16 and F17: the site is away for half an hour, and clocks are wrong by an hour.

The database's clock cannot be set from here; instead everything that was written becomes older or
younger, which is the same for whoever compares it with the clock.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jobs.states import LEASED, JobState
from tests.faults.books import Books
from tests.faults.checker import double_moves, lapses
from tests.faults.crews import Crew, claimed, ids
from tests.faults.pilots import Pilot
from tests.faults.sizes import long

log = logging.getLogger(__name__)

RUNNING = 1000
PILOTS = 8
HOUR = 3600.0
AWAY_SECONDS = HOUR / 2
HEARTBEAT_SECONDS = HOUR / 2  # since their last word, at most
# All that a live job has of times, but for the end that it has not.
AGE = """
UPDATE jobs_pulse SET lease_until = lease_until + %(by)s, due = due + %(by)s,
  heard_at = heard_at + %(by)s, start_time = start_time + %(by)s WHERE job_id = ANY(%(jobs)s);
UPDATE jobs_job SET lease_until = lease_until + %(by)s, start_time = start_time + %(by)s,
  state_change_time = state_change_time + %(by)s, queued_since = queued_since + %(by)s,
  modification_time = modification_time + %(by)s, creation_time = creation_time + %(by)s
WHERE panda_id = ANY(%(jobs)s)
"""
BY_LEASE = """
SELECT count(*) FROM jobs_pulse WHERE job_id = ANY(%s)
  AND lease_until - interval '6900 s' < clock_timestamp()
"""


@long
def test_half_an_hour_without_the_site_costs_no_job(patient: Books) -> None:
    # given a thousand running jobs, whose pilots spoke up to half an hour ago
    place, site = patient.place(), patient.site
    held = running(patient, place, RUNNING)
    for nr, share in enumerate([ids(held)[nr::10] for nr in range(10)]):
        age(patient, share, -HEARTBEAT_SECONDS * nr / 10)

    # when the site is away for half an hour, and comes back
    for name in ("web", "worker", "transfers"):
        site.kill_piece(name)
    age(patient, ids(held), -AWAY_SECONDS)
    site.start_site()
    site.await_sweep("jobs.watch", rounds=3)

    # then all of them are still believed to run, and end well
    assert patient.states(ids(held)) == {JobState.RUNNING: RUNNING}
    with patient.sql() as cursor:  # the control: a lease of five minutes
        cursor.execute(BY_LEASE, [ids(held)])
        assert cursor.fetchone() == (RUNNING,)
    Crew([finisher(patient.pilot(place), held[nr::PILOTS]) for nr in range(PILOTS)]).finish()
    patient.await_states(ids(held), JobState.FINISHED)
    assert lapses(patient, ids(held)) == []


@long
@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_of_the_server_jumps_and_no_job_is_lost(patient: Books, hours: int) -> None:
    # given
    place, site = patient.place(), patient.site
    held = running(patient, place, 50)

    # when the clock goes forward (all is older), or back (all is younger)
    age(patient, ids(held), -hours * HOUR)
    site.await_sweep("jobs.watch", rounds=3)

    # then
    assert patient.states(ids(held)) == {JobState.RUNNING: 50}
    finisher(patient.pilot(place), held)()
    patient.await_states(ids(held), JobState.FINISHED)
    assert lapses(patient, ids(held)) == []


@long
@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_of_a_pilot_decides_nothing(patient: Books, hours: int) -> None:
    # given a pilot whose clock is wrong
    place, site = patient.place(), patient.site
    held = claimed(patient, place, 20)
    pilot = patient.pilot(place)
    wrong = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    said = {"sent_at": wrong.isoformat(), "start_time": wrong.isoformat()}

    # when it says when things happened
    for job in held:
        pilot.report(job, "running", seq=1, **said)
    site.await_sweep("jobs.watch", rounds=2)
    states = patient.states(ids(held))
    for job in held:
        pilot.report(job, "finished", seq=2, **said, end_time=wrong.isoformat())
    patient.await_states(ids(held), JobState.FINISHED)

    # then the times are those of the database
    assert states == {JobState.RUNNING: 20}
    with site.books():
        rows = patient.rows(ids(held), "creation_time", "start_time", "end_time")
        assert all(born <= began <= ended for born, began, ended in rows)
        assert list(double_moves(ids(held))) == []


def running(books: Books, place: Any, number: int) -> list[dict[str, Any]]:
    """Jobs that run."""
    held = claimed(books, place, number)
    shares = [held[nr::PILOTS] for nr in range(PILOTS)]
    Crew([starter(books.pilot(place), share) for share in shares]).finish()
    return held


def starter(pilot: Pilot, jobs: Sequence[dict[str, Any]]) -> Callable[[], None]:
    return sayer(pilot, jobs, "running", 1)


def finisher(pilot: Pilot, jobs: Sequence[dict[str, Any]]) -> Callable[[], None]:
    return sayer(pilot, jobs, "finished", 2)


def sayer(pilot: Pilot, jobs: Sequence[dict[str, Any]], word: str, seq: int) -> Callable[[], None]:
    def work() -> None:
        for job in jobs:
            pilot.report(job, word, seq=seq)

    return work


def age(books: Books, panda_ids: list[int], seconds: float) -> None:
    """Move all times of these jobs: those with pilots have leases, too."""
    assert set(books.states(panda_ids)) <= set(LEASED)
    with books.sql() as cursor:
        cursor.execute(AGE, {"by": dt.timedelta(seconds=seconds), "jobs": panda_ids})
