"""F18: reports come in any order and more than once, and the end is the same."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from jobs.states import JobState
from tests.faults.asking import REPORT
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.control import without_guards
from tests.faults.crews import Crew, claimed, ids
from tests.faults.grid import Place
from tests.faults.history import Outcome
from tests.faults.pilots import Pilot, report_body
from tests.faults.sizes import quick, sized

log = logging.getLogger(__name__)

PER_JOB = 10  # reports, the last word included
REPEATS = 0.3
CLIENTS = 4
SEED = 20090917
# What the end of a job must have kept, whatever the order was.
KEPT = ("state", "verdict", "cpu_consumption_time", "max_rss_mb", "trans_exit_code", "attempt_nr")
Word = tuple[dict[str, Any], dict[str, Any]]  # a job and what is said of it


@sized("number", quick_size=600, full_size=10_000)
def test_reports_in_any_order_come_to_the_same_end(patient: Books, number: int) -> None:
    # given jobs with all their reports, and twins of theirs
    jobs = number // PER_JOB
    place, twins = patient.place(), patient.place()
    held, theirs = claimed(patient, place, jobs), claimed(patient, twins, jobs)

    # when the twins' reports come in order, and the others shuffled and some of them again
    send(patient, twins, [words_of(job) for job in theirs])
    words = shuffled([word for job in held for word in words_of(job)])
    send(patient, place, [words[nr::CLIENTS] for nr in range(CLIENTS)])

    # then
    log.info("%s", patient.history.summary())
    panda_ids, twin_ids = ids(held), ids(theirs)
    patient.await_states([*panda_ids, *twin_ids], JobState.FINISHED)
    assert kept(patient, panda_ids) == kept(patient, twin_ids)
    assert {op.status for op in patient.history.of("report")} == {200}
    assert heard_more_than_once(patient) == []
    assert lapses(patient, [*panda_ids, *twin_ids]) == []


@quick
def test_without_the_order_the_last_one_to_arrive_wins(patient: Books) -> None:
    """The control: each report is written down as it comes."""
    # given
    place = patient.place()
    held = claimed(patient, place, 20)
    words = [word for job in held for word in words_of(job)]

    # when
    with without_guards(patient, ids(held)) as copy:
        with copy.client() as cursor:
            for job, body in shuffled(words):
                cursor.execute(
                    "UPDATE jobs_job SET state = %s, cpu_consumption_time = %s WHERE panda_id = %s",
                    [body["state"], body["cpu_consumption_time"], job["panda_id"]],
                )

        # then
        with copy.read():
            found = Counter(patient.rows(ids(held), "state", "cpu_consumption_time"))
    in_order = Counter([("finished", 60 * PER_JOB)] * len(held))
    assert found != in_order


def words_of(job: dict[str, Any]) -> list[Word]:
    """All that is said of a job, in order; each report is told from the others by its numbers."""
    states = ["starting", *["running"] * (PER_JOB - 2), "finished"]
    return [
        (job, report_body(job, state, seq=seq) | measured(seq))
        for seq, state in enumerate(states, start=1)
    ]


def measured(seq: int) -> dict[str, int]:
    return {"cpu_consumption_time": 60 * seq, "max_rss_mb": 100 + 10 * seq, "exit_code": 0}


def shuffled(words: Sequence[Word]) -> list[Word]:
    """All of them and some once more, in the same disorder each time."""
    chance = random.Random(SEED)
    again = chance.sample(list(words), int(len(words) * REPEATS))
    mixed = [*words, *again]
    chance.shuffle(mixed)
    return mixed


def send(books: Books, place: Place, shares: Sequence[Sequence[Word]]) -> None:
    """Each share is sent in its order; CLIENTS at a time."""
    pilots = [books.pilot(place) for _ in range(CLIENTS)]
    Crew([sender(pilot, shares[nr::CLIENTS]) for nr, pilot in enumerate(pilots)]).finish()


def sender(pilot: Pilot, shares: Sequence[Sequence[Word]]) -> Callable[[], None]:
    def work() -> None:
        for share in shares:
            for job, body in share:
                pilot.asker.insist("report", REPORT, body, key=f"{job['panda_id']}.{body['seq']}")

    return work


def kept(books: Books, panda_ids: list[int]) -> Counter[tuple[Any, ...]]:
    with books.site.books():
        return Counter(books.rows(panda_ids, *KEPT))


def heard_more_than_once(books: Books) -> list[str]:
    """Reports that were answered twice as if they were new."""
    answers = books.history.of("report", outcome=Outcome.OK)
    new = Counter(op.key for op in answers if not op.answer["replayed"])
    return [key for key, n in new.items() if n > 1]
