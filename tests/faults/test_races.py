"""F19: a job is killed at the very moment at which it finishes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from jobs.states import JobState
from tests.faults.books import Books
from tests.faults.checker import double_moves, lost_words, second_ends
from tests.faults.control import WRITE, without_guards
from tests.faults.crews import Crew, claimed, ids
from tests.faults.sizes import quick, sized

log = logging.getLogger(__name__)

HEAD_START = 0.02  # s that the kill has at first: it takes longer
LATER, EARLIER = 1.3, 1 / 1.3  # what becomes of it when the pilot came first, or the kill


@sized("races", quick_size=200, full_size=1000)
def test_a_job_is_killed_or_finishes_and_never_both(patient: Books, races: int) -> None:
    # given
    place = patient.place()
    held = claimed(patient, place, races)
    pilot, starts = patient.pilot(place), [threading.Barrier(2) for _ in held]

    # when each is killed and finishes at moments that come so close that either may win
    def finish() -> None:
        pause = HEAD_START
        for job, start in zip(held, starts, strict=True):
            start.wait()
            time.sleep(pause)
            told = pilot.report(job, "finished", seq=1).answer["state"]
            pause *= LATER if told == JobState.HOLDING else EARLIER

    def kill() -> None:
        for job, start in zip(held, starts, strict=True):
            start.wait()
            patient.kill(job["panda_id"])

    Crew([finish, kill]).finish()
    panda_ids = ids(held)
    patient.await_states(panda_ids, JobState.FINISHED, JobState.CANCELLED)

    # then
    ends = patient.states(panda_ids)
    log.info("%s; %s", ends, patient.history.summary())
    assert min(ends[JobState.FINISHED], ends[JobState.CANCELLED]) > 0  # each has won
    with patient.site.books():
        assert [*double_moves(panda_ids), *lost_words(patient.history)] == []
    assert wrongly_told(patient) == []


@quick
def test_two_that_read_before_they_write_end_a_job_twice(patient: Books) -> None:
    """The control: who reads a state, and writes the next one without asking again."""
    # given
    place = patient.place()
    panda_ids = ids(claimed(patient, place, 30))

    # when
    with without_guards(patient, panda_ids) as copy:
        starts = [threading.Barrier(2) for _ in panda_ids]
        with copy.client() as one, copy.client() as other:
            deeds = [ender(one, "finished", panda_ids, starts)]
            deeds += [ender(other, "cancelled", panda_ids, starts)]
            Crew(deeds).finish()

        # then
        found = copy.lapses(lambda: second_ends(panda_ids))
    log.info("%d of 30 jobs ended twice", len(found))
    assert found != []


def ender(
    cursor: Any, end: str, panda_ids: Sequence[int], starts: Sequence[threading.Barrier]
) -> Callable[[], None]:
    def work() -> None:
        for panda_id, start in zip(panda_ids, starts, strict=True):
            start.wait()
            cursor.execute("SELECT state FROM jobs_job WHERE panda_id = %s", [panda_id])
            [was] = cursor.fetchone()
            if was == "sent":
                cursor.execute(WRITE, {"job": panda_id, "was": was, "to": end})

    return work


def wrongly_told(books: Books) -> list[str]:
    """Jobs whose pilot was told another end than they had."""
    told = {op.body["panda_id"]: op.answer["state"] for op in books.history.of("finished")}
    ends = {JobState.HOLDING: JobState.FINISHED, JobState.CANCELLED: JobState.CANCELLED}
    with books.site.books():
        had = dict(books.rows(list(told), "pk", "state"))
    return [f"job {pk}: {state}, {had[pk]}" for pk, state in told.items() if ends[state] != had[pk]]
