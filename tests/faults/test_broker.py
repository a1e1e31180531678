"""F6: the broker dies with everything that was in it; requests go on, and nothing is forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from jobs.states import JobState
from pandasite.base.reconnect import MOST_SECONDS
from tests.faults.books import SUBMIT, Books
from tests.faults.callbacks import awaited, teller
from tests.faults.checker import double_moves, lapses
from tests.faults.crews import Crew, claimed, ids
from tests.faults.grid import Place, job_body
from tests.faults.pilots import Pilot, new_key
from tests.faults.site import SWEEP_SECONDS, FaultSite
from tests.faults.sizes import quick, sized
from tests.faults.told import fold_by_message, start_without_timetable
from tests.flow.installation import eventually

log = logging.getLogger(__name__)

PILOTS = 8
LIMIT_SECONDS = 3 * (2 * SWEEP_SECONDS + MOST_SECONDS)  # the longest pause of a worker included


@sized("number", quick_size=60, full_size=200)
def test_a_dead_broker_costs_no_answer_and_no_job(patient: Books, number: int) -> None:
    # given pilots at work
    place = patient.place()
    held = claimed(patient, place, number)
    waiting, news = awaited(patient, place, number)

    # when all of them finish, as many jobs are submitted, and a DDM tells of as many files, while
    # there is no broker
    site = patient.site
    site.kill_piece("valkey")
    begun = time.monotonic()
    pilots = [patient.pilot(place) for _ in range(PILOTS)]
    ends = [finisher(pilot, held[nr::PILOTS]) for nr, pilot in enumerate(pilots)]
    crew = Crew([*ends, teller(patient, news)])
    submitted = submit_one_by_one(patient, place, number)
    crew.finish()
    time.sleep(max(0.0, away_for(number) - (time.monotonic() - begun)))

    # then every answer was good at the first try
    assert patient.history.retries() == 0
    answers = patient.history.of("finished", "submit", "callback")
    assert {op.status for op in answers} <= {200, 201}
    assert len(answers) > 3 * number  # the submission of those that are held among them

    # and when it is back, the sweeps find the rest by themselves
    start_valkey(site)
    back = time.monotonic()
    done = ids(held)
    patient.await_states(done, JobState.FINISHED, seconds=3 * LIMIT_SECONDS)
    brought = [*submitted, *waiting]
    patient.await_states(brought, JobState.ACTIVATED, seconds=3 * LIMIT_SECONDS)
    took = time.monotonic() - back
    log.info("swept %.1f s after the return; %s", took, patient.history.summary())
    assert took < LIMIT_SECONDS
    assert lapses(patient, done) == []
    with site.books():
        assert list(double_moves(brought)) == []


@quick
def test_without_sweeps_a_lost_message_is_a_lost_job(patient: Books) -> None:
    """The control: workers that wait to be told, and no timetable."""
    # given
    place, site = patient.place(), patient.site
    held = claimed(patient, place, 5)
    start_without_timetable(site)

    # when
    site.kill_piece("valkey")
    pilot = patient.pilot(place)
    finisher(pilot, held)()
    submitted = submit_one_by_one(patient, place, 5)
    waiting, news = awaited(patient, place, 5)
    teller(patient, news)()
    start_valkey(site)
    fold_by_message(site, seconds=3 * LIMIT_SECONDS)  # the worker is back

    # then nobody ever looks at them
    found = lapses(patient, ids(held))
    states = patient.states(submitted), patient.states(waiting)
    site.kill_piece("worker")
    site.start("worker")
    assert any("is holding" in lapse for lapse in found), (found, states)
    assert states == ({"defined": 5}, {"assigned": 5})
    patient.await_states([*submitted, *waiting], JobState.ACTIVATED)


def away_for(number: int) -> float:
    """How long there is no broker (s)."""
    return 60.0 if number == 200 else 8.0


def finisher(pilot: Pilot, jobs: Sequence[dict[str, Any]]) -> Callable[[], None]:
    """Says the last word on each of the jobs."""

    def finish() -> None:
        for job in jobs:
            pilot.report(job, "finished", seq=1)

    return finish


def submit_one_by_one(books: Books, place: Place, number: int) -> list[int]:
    """So many submissions; what was not acknowledged at the first try stays out."""
    tag = f"broker-{place.name}"
    asked = [
        books.manager.ask(
            "submit", SUBMIT, {"jobs": [job_body(tag, nr, site=place.name)]}, key=new_key()
        )
        for nr in range(number)
    ]
    return [int(job["panda_id"]) for op in asked for job in op.answer.get("jobs", [])]


def start_valkey(site: FaultSite) -> None:
    site.start("valkey")
    eventually(site.servers.valkey.ready, pause=0.05)
