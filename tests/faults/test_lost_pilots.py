"""F12 and F13: pilots die with their jobs, and watchdogs find them, two at a time."""

from __future__ import annotations

import datetime as dt
import logging
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from jobs.models import JobEvent
from jobs.states import JobState
from pandasite.base.clock import database_now
from tests.faults.books import Books, events_of, pages
from tests.faults.checker import double_moves, lapses, not_finished
from tests.faults.control import WRITE, without_guards
from tests.faults.crews import Crew, claimed, ids, runner
from tests.faults.pilots import Pilot
from tests.faults.site import LEASE_SECONDS, SWEEP_SECONDS, FaultSite
from tests.faults.sizes import quick, sized
from tests.faults.talk import hear, talking, tell
from tests.faults.transfers import await_waiting, nobody_may_write

log = logging.getLogger(__name__)

PILOTS = 8
FOUND_SECONDS = LEASE_SECONDS + SWEEP_SECONDS
# The moments at which pilots die: what they have said by then.
DEATHS: dict[str, Sequence[str]] = {
    "after the claim": (),
    "in running": ("running",),
    "before the last word": ("starting", "running", "running"),
}


@sized("jobs", quick_size=240, full_size=1000)
def test_two_watchdogs_move_each_job_once(patient: Books, jobs: int) -> None:
    # given dead jobs, and nobody who looks
    place, site = patient.place(), patient.site
    panda_ids = ids(claimed(patient, place, jobs))
    site.kill_piece("worker")
    patient.end_leases(panda_ids, seconds=0)
    assert patient.states(panda_ids) == {JobState.SENT: jobs}

    # when two watchdogs wake up, and both are in the middle of it at the same moment
    with ExitStack() as stack:
        dogs = [stack.enter_context(watchdog(site)) for _ in range(2)]
        assert [hear(dog) for dog in dogs] == ["ready", "ready"]
        with nobody_may_write(site, "jobs_jobevent"):
            for dog in dogs:
                tell(dog, "go")
            await_waiting(site, len(dogs))
        moved = [int(hear(dog)) for dog in dogs]
        assert [dog.wait(30) for dog in dogs] == [0, 0]
    site.start("worker")

    # then
    log.info("the two moved %s jobs", moved)
    assert sum(moved) == jobs
    assert min(moved) > 0
    assert patient.states(panda_ids) == {JobState.ACTIVATED: jobs}
    with site.books():
        assert list(double_moves(panda_ids)) == []
        back = [event for event in events_of(panda_ids) if event[1:] == (1, "activated")]
    assert len(back) == jobs


def watchdog(site: FaultSite) -> AbstractContextManager[subprocess.Popen[str]]:
    """One that waits for a lock as long as it takes."""
    lasting = {"PANDASITE_STATEMENT_SECONDS": "0"}
    return talking(site, "tests.faults.watchdog", environment=lasting)


@quick
def test_watchdogs_without_the_condition_move_jobs_twice(patient: Books) -> None:
    """The control: two that read which jobs are silent, and then move those."""
    # given
    place = patient.place()
    panda_ids = ids(claimed(patient, place, 30))

    # when
    with without_guards(patient, panda_ids) as copy:
        copy.race(move_what_was_silent, clients=2)

        # then
        found = copy.lapses(lambda: double_moves(panda_ids))
    assert len(found) == 30


@sized("each", quick_size=20, full_size=300)
def test_jobs_of_dead_pilots_are_done_by_others(patient: Books, each: int) -> None:
    # given pilots that have died in each of three ways
    place = patient.place()
    panda_ids = patient.activated(place, each * len(DEATHS))
    deeds = [dying(patient.pilot(place), each, words) for words in DEATHS.values()]
    Crew(deeds).finish()
    died = moment(patient)
    patient.end_leases(panda_ids, seconds=LEASE_SECONDS)
    patient.await_states(panda_ids, JobState.ACTIVATED)

    # when others come
    Crew([runner(patient.pilot(place)) for _ in range(PILOTS)]).finish()
    patient.await_states(panda_ids, JobState.FINISHED)

    # then
    assert lapses(patient, panda_ids, attempts=2) == []
    assert patient.attempts(panda_ids) == {2: len(panda_ids)}
    with patient.site.books():
        found = sorted(seconds_until_found(panda_ids, since=died))
    log.info("found after %.1f to %.1f s", found[0], found[-1])
    assert found[-1] < 3 * FOUND_SECONDS


@quick
def test_without_a_watchdog_jobs_of_dead_pilots_stay(patient: Books) -> None:
    """The control."""
    # given
    place, site = patient.place(), patient.site
    panda_ids = patient.activated(place, 3)
    site.kill_piece("worker")

    # when
    Crew([dying(patient.pilot(place), 1, words) for words in DEATHS.values()]).finish()
    patient.end_leases(panda_ids, seconds=0)
    time.sleep(2 * SWEEP_SECONDS)
    runner(patient.pilot(place))()

    # then
    with site.books():
        found = list(not_finished(patient, panda_ids))
    site.start("worker")
    assert len(found) == 3


def dying(pilot: Pilot, number: int, words: Sequence[str]) -> Callable[[], None]:
    """Takes so many jobs, says this of each, and nothing more."""

    def work() -> None:
        for _ in range(number):
            job = pilot.claim()
            assert job is not None
            for seq, word in enumerate(words, start=1):
                pilot.report(job, word, seq=seq)

    return work


def move_what_was_silent(cursor: Any) -> None:
    cursor.execute("SELECT panda_id, state FROM jobs_job WHERE state IN ('sent', 'running')")
    silent = cursor.fetchall()
    cursor.execute("SELECT pg_sleep(0.2)")  # both have read
    for panda_id, state in silent:
        cursor.execute(WRITE, {"job": panda_id, "was": state, "to": "activated"})


def moment(books: Books) -> dt.datetime:
    """Now, by the clock of the database."""
    with books.site.books():
        return database_now()


def seconds_until_found(panda_ids: Sequence[int], *, since: dt.datetime) -> Iterator[float]:
    """How long each job was still believed to be in good hands."""
    for page in pages(panda_ids):
        back = JobEvent.objects.filter(job__in=page, to_state=JobState.ACTIVATED, attempt_nr=1)
        yield from ((at - since).total_seconds() for at in back.values_list("at", flat=True))
