"""F15: a pilot whose heart beats is never given up, however long it has been running."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from jobs.states import JobState
from tests.faults.books import Books, events_of
from tests.faults.checker import lapses
from tests.faults.crews import Crew
from tests.faults.history import Outcome
from tests.faults.pilots import Pilot
from tests.faults.site import LEASE_SECONDS
from tests.faults.sizes import sized

log = logging.getLogger(__name__)

BEAT_SECONDS = LEASE_SECONDS / 4
CLIENTS = 8
# A rescue that looks at when a job began: what it would take from pilots that are alive.
BY_START = """
SELECT count(*) FROM jobs_job WHERE panda_id = ANY(%s) AND state = 'running'
  AND start_time < clock_timestamp() - make_interval(secs => %s)
"""


@sized("jobs", quick_size=16, full_size=100)
def test_a_beating_heart_is_never_given_up(strict: Books, jobs: int) -> None:
    # given jobs that run for ten leases
    place = strict.place()
    panda_ids = strict.activated(place, jobs)
    pilots = [strict.pilot(place) for _ in range(CLIENTS)]
    until = time.monotonic() + 10 * LEASE_SECONDS

    # when their pilots say so each quarter of a lease
    shares = [jobs // CLIENTS + (nr < jobs % CLIENTS) for nr in range(CLIENTS)]
    crew = Crew([alive(p, n, until) for p, n in zip(pilots, shares, strict=True)])
    time.sleep(6 * LEASE_SECONDS)
    with strict.sql() as cursor:
        cursor.execute(BY_START, [panda_ids, 2 * LEASE_SECONDS])
        [wrongly] = cursor.fetchone()
    crew.finish()

    # then no job was taken from a pilot that had spoken within a lease
    given_up = lost(strict, panda_ids)
    log.info("given up: %s; %s", given_up, strict.history.summary())
    assert [pk for pk in given_up if longest_silence(strict, pk) < LEASE_SECONDS] == []
    well = [pk for pk in panda_ids if pk not in given_up]
    strict.await_states(well, JobState.FINISHED)
    assert lapses(strict, well) == []
    # and the control: a rescue by the time of the start would have taken them
    assert wrongly > len(well) / 2


def alive(pilot: Pilot, number: int, until: float) -> Callable[[], None]:
    """So many jobs with one heart; each ends with its last word."""

    def work() -> None:
        jobs = [job for _ in range(number) if (job := pilot.claim())]
        seq = 0
        while time.monotonic() < until:
            seq += 1
            beat_at = time.monotonic() + BEAT_SECONDS
            say(pilot, jobs, "running", seq)
            time.sleep(max(0.0, beat_at - time.monotonic()))
        say(pilot, jobs, "finished", seq + 1)

    return work


def say(pilot: Pilot, jobs: Sequence[dict[str, Any]], word: str, seq: int) -> None:
    for job in jobs:
        pilot.report(job, word, seq=seq)


def lost(books: Books, panda_ids: list[int]) -> list[int]:
    with books.site.books():
        return sorted({pk for pk, nr, state in events_of(panda_ids) if (nr, state) == BACK})


BACK = (1, JobState.ACTIVATED)


def longest_silence(books: Books, panda_id: int) -> float:
    """The most that can have passed for the server between two words of a pilot (s).

    On a busy machine a pilot may really be late: then it is given up as it should be.
    """
    words = [op for op in books.history.of("running", "finished") if is_about(op.body, panda_id)]
    good = [op for op in words if op.outcome is Outcome.OK]
    ends = [op.end for op in words]
    claims = [op for op in books.history.claims() if op.job and is_about(op.job, panda_id)]
    starts = [op.start for op in [*claims, *good]]
    return max((end - start for start, end in zip(starts, ends, strict=False)), default=0.0)


def is_about(what: dict[str, Any], panda_id: int) -> bool:
    return bool(what["panda_id"] == panda_id)
