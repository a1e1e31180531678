"""F11: two hosts have a timetable each, and every round is one round."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.states import JobState
from pandasite.base.sweeps import ROUND_BEGUN
from pandasite.launcher.stack import WORKERS
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.crews import runner
from tests.faults.site import SWEEP_SECONDS, FaultSite
from tests.faults.sizes import long
from tests.flow.installation import eventually

log = logging.getLogger(__name__)

BEAT_SECONDS = 300.0
LEAST_ROUNDS = BEAT_SECONDS / (3 * SWEEP_SECONDS)
WATCHED = "jobs.watch"  # nobody nudges it: each of its rounds is one of the timetable
# Each beginning of a round, as it is booked.
NOTE = """
CREATE TABLE faults_round (name text NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION faults_note_round() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO faults_round VALUES (NEW.name, NEW.started_at);
  RETURN NEW;
END $$;
CREATE TRIGGER faults_note_round AFTER UPDATE OF started_at ON base_sweeprun
  FOR EACH ROW EXECUTE FUNCTION faults_note_round();
"""
FORGET = """
DROP TRIGGER faults_note_round ON base_sweeprun;
DROP FUNCTION faults_note_round();
DROP TABLE faults_round;
"""
# (rounds, those that began when the one before had just begun)
ROUNDS = """
SELECT count(*), count(*) FILTER (WHERE after < make_interval(secs => %s)) FROM (
  SELECT at - lag(at) OVER (ORDER BY at) AS after FROM faults_round WHERE name = %s) round
"""


@long
def test_two_timetables_do_nothing_twice(patient: Books) -> None:
    # given two workers, each with a beat of its own
    place, site = patient.place(), patient.site
    site.start("worker2", site.worker("worker2", *WORKERS["worker"]))

    # when they run for five minutes, with jobs all the time
    panda_ids, until = [], time.monotonic() + BEAT_SECONDS
    with rounds_noted(patient):
        while time.monotonic() < until:
            panda_ids += patient.activated(place, 10)
            runner(patient.pilot(place))()
        found, twice = rounds(patient)
    site.stop_piece("worker2")

    # then every round was made once, and every move
    patient.await_states(panda_ids, JobState.FINISHED)
    log.info("%d rounds of the watchdog in %.0f s, %d jobs", found, BEAT_SECONDS, len(panda_ids))
    assert found >= LEAST_ROUNDS
    assert twice == 0
    assert lapses(patient, panda_ids) == []


@long
def test_timetables_that_know_nothing_of_each_other_make_a_round_twice(patient: Books) -> None:
    """The control: workers that do not ask whether a round has begun."""
    # given
    site = patient.site
    site.kill_piece("worker")
    for name in ("worker", "worker2"):
        site.start(name, unruly(site, name))

    # when
    with rounds_noted(patient):
        eventually(lambda: rounds(patient)[1] > 0, pause=1.0, what=site.trouble)

    # then
    for name in ("worker", "worker2"):
        site.kill_piece(name)
    site.start("worker")


def unruly(site: FaultSite, name: str):
    return site.worker(name, *WORKERS["worker"], app="tests.faults.unruly")


@contextmanager
def rounds_noted(books: Books) -> Iterator[None]:
    """Inside, each beginning of a sweep leaves a row."""
    with books.sql() as cursor:
        cursor.execute(NOTE)
    try:
        yield
    finally:
        with books.sql() as cursor:
            cursor.execute(FORGET)


def rounds(books: Books) -> tuple[int, int]:
    """How often the watchdog began, and how often too early."""
    with books.sql() as cursor:
        cursor.execute(ROUNDS, [ROUND_BEGUN * SWEEP_SECONDS, WATCHED])
        found, twice = cursor.fetchone()
    return found, twice
