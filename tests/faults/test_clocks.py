"""F16 and F17: the site is away for half an hour, and clocks are wrong by an hour.

The database's clock cannot be set from here; instead everything that was written becomes older or
younger, which is the same for whoever compares it with the clock.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db.models import F

from jobs.states import LEASED, JobState
from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from pandasite.launcher.stack import WORKERS
from tests.faults.books import Books
from tests.faults.checker import double_moves, lapses
from tests.faults.control import without_guards
from tests.faults.crews import Crew, claimed, ids
from tests.faults.pilots import Pilot
from tests.faults.site import PATIENT, FaultSite
from tests.faults.sizes import long
from tests.faults.talk import hear, talking, tell
from tests.faults.wrong_clock import BELIEVED

log = logging.getLogger(__name__)

RUNNING = 1000
PILOTS = 8
HOUR = 3600.0
AWAY_SECONDS = HOUR / 2
HEARTBEAT_SECONDS = HOUR / 2  # since their last word, at most
SHORT_LEASES = {"PANDASITE_LEASE_SECONDS": "300"}
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
@pytest.mark.parametrize("noticed", [True, False])
def test_after_an_outage_that_was_noticed_pilots_have_a_lease_to_be_heard(
    patient: Books, noticed: bool
) -> None:
    """With leases that are shorter than the outage; the control is a watchdog that saw none."""
    # given
    place, site = patient.place(), patient.site
    site.with_limits(PATIENT | SHORT_LEASES)
    held = running(patient, place, 100)

    # when the site is away for half an hour
    for name in ("web", "worker", "transfers"):
        site.kill_piece(name)
    age(patient, ids(held), -AWAY_SECONDS)
    if noticed:
        age_sweeps(patient, -AWAY_SECONDS)
    site.start_site()
    site.await_sweep("jobs.watch", rounds=3)

    # then
    found = patient.states(ids(held))
    forget_outage(patient)
    assert found == {(JobState.RUNNING if noticed else JobState.ACTIVATED): 100}


@long
@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_of_the_database_jumps_and_no_job_is_lost(patient: Books, hours: int) -> None:
    # given
    place, site = patient.place(), patient.site
    held = running(patient, place, 50)

    # when the clock goes forward (all is older), or back (all is younger)
    site.kill_piece("worker")
    age(patient, ids(held), -hours * HOUR)
    age_sweeps(patient, -hours * HOUR)
    site.start("worker")
    site.await_sweep("jobs.watch", rounds=3)

    # then
    assert patient.states(ids(held)) == {JobState.RUNNING: 50}
    forget_outage(patient)
    finisher(patient.pilot(place), held)()
    patient.await_states(ids(held), JobState.FINISHED)
    assert lapses(patient, ids(held)) == []


@long
@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_of_a_host_decides_nothing(patient: Books, hours: int) -> None:
    # given pilots with leases that are shorter than the error
    place, site = patient.place(), patient.site
    site.with_limits(PATIENT | SHORT_LEASES)
    held = running(patient, place, 20)

    # when web server and workers are on a machine whose clock is wrong
    with wrong_clock(site, str(hours)):
        more = running(patient, place, 20)
        site.await_sweep("jobs.watch", rounds=3)

        # then nobody is given up, and all of it ends well
        assert patient.states(ids([*held, *more])) == {JobState.RUNNING: 40}
        finisher(patient.pilot(place), [*held, *more])()
        patient.await_states(ids([*held, *more]), JobState.FINISHED)
    assert lapses(patient, ids([*held, *more])) == []


@long
def test_a_watchdog_that_believes_its_host_gives_up_pilots_that_speak(patient: Books) -> None:
    """The control: time is what the machine says."""
    # given a watchdog on such a machine, which has been there all the time
    place, site = patient.place(), patient.site
    site.with_limits(PATIENT | SHORT_LEASES)
    held = running(patient, place, 20)
    site.kill_piece("worker")
    age_sweeps(patient, HOUR)

    # when it looks
    words = ("1", BELIEVED, "tests.faults.watchdog")
    with talking(site, "tests.faults.wrong_clock", *words) as dog:
        assert hear(dog) == "ready"
        tell(dog, "go")
        moved = int(hear(dog))

    # then
    found = patient.states(ids(held))
    age_sweeps(patient, -HOUR)
    forget_outage(patient)
    site.start("worker")
    assert moved == 20
    assert found == {JobState.ACTIVATED: 20}


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
        assert list(out_of_order(patient, ids(held), before=database_now())) == []
        assert list(double_moves(ids(held))) == []

    # and the control: times as they were said
    with without_guards(patient, ids(held)) as copy:
        with copy.client() as cursor:
            cursor.execute("UPDATE jobs_job SET start_time = %s, end_time = %s", [wrong, wrong])
        with copy.read():
            found = list(out_of_order(patient, ids(held), before=database_now()))
    assert len(found) == 20


def out_of_order(books: Books, panda_ids: list[int], *, before: dt.datetime) -> Iterator[str]:
    """Jobs that began before they were made, or have ended in the future."""
    for panda_id, *times in books.rows(panda_ids, "pk", "creation_time", "start_time", "end_time"):
        if [*times, before] != sorted([*times, before]):
            yield f"job {panda_id}: {times}"


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


def age_sweeps(books: Books, seconds: float) -> None:
    """Move what the sweeps have written of themselves."""
    by = dt.timedelta(seconds=seconds)
    columns = ("started_at", "ended_at", "last_ok_at")
    with books.site.books():
        SweepRun.objects.update(**{column: F(column) + by for column in columns})


def forget_outage(books: Books) -> None:
    """Silence counts at once."""
    with books.site.books():
        SweepRun.objects.update(patient_until=None, last_ok_at=database_now())


@contextmanager
def wrong_clock(site: FaultSite, *words: str) -> Iterator[None]:
    """Inside, web and workers are programs of `tests.faults.wrong_clock`, with these words."""
    names = ("web", *WORKERS)
    for name in names:
        site.kill_piece(name)
        command = site.command(name)
        python, flag, *program = command.argv
        argv = (python, flag, "tests.faults.wrong_clock", *words, *program)
        site.start(name, replace(command, argv=argv))
    site.await_web()
    yield
    for name in names:
        site.kill_piece(name)
    with site.books():  # not by the clock that was here
        SweepRun.objects.update(started_at=None, ended_at=None, last_ok_at=None, patient_until=None)
    site.start_site()
