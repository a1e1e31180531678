"""F1 and F2: the web server dies, or its answer gets lost, in the middle of everything."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psutil
import pytest

from jobs.states import JobState
from pandasite.embedded.process import Command
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.crews import Crew, runner
from tests.faults.grid import Place
from tests.faults.site import FaultSite
from tests.faults.sizes import quick, sized
from tests.flow.installation import eventually
from tests.flow.proxy import CLAIM, Question, proxy_to

log = logging.getLogger(__name__)

PILOTS = 12
WORKERS = 4  # more than cores: some are always there to be killed
WORKER_SECONDS = 0.15  # between two deaths of a worker
ROUNDS = 10
MASTER_SECONDS = 3.0  # from the return of the master to its next death


@sized("jobs", quick_size=300, full_size=2500)
def test_killed_web_servers_lose_no_job_and_run_none_twice(patient: Books, jobs: int) -> None:
    # given
    place = patient.place()
    panda_ids = patient.activated(place, jobs)

    # when workers and masters are killed all the time under twelve pilots
    with web_workers(patient.site, WORKERS):
        crew = Crew([runner(patient.pilot(place)) for _ in range(PILOTS)])
        kills = kill_while(patient, lambda: crew.busy, most=jobs // 4)
        crew.finish()
    patient.await_states(panda_ids, JobState.FINISHED)

    # then
    log.info("%s; %s", dict(kills), patient.history.summary())
    assert lapses(patient, panda_ids) == []
    assert kills["worker"] > 10
    assert patient.history.retries() > 0


@sized("cuts", quick_size=150, full_size=500)
def test_a_lost_answer_to_a_claim_is_given_again(patient: Books, cuts: int) -> None:
    # given a network that loses the first answer to each claim
    place = patient.place()
    panda_ids = patient.activated(place, cuts)
    with proxy_to(patient.site.url) as proxy:
        proxy.lose_answer = the_first_of_each_key()

        # when
        pilots = [patient.pilot(place, url=proxy.url) for _ in range(PILOTS)]
        Crew([runner(pilot) for pilot in pilots]).finish()
    patient.await_states(panda_ids, JobState.FINISHED)

    # then each was given again under the same key, with the same lease
    log.info("%s", patient.history.summary())
    claims = [one for one in proxy.claims() if one.job]
    assert Counter(one.lost for one in claims) == {True: cuts, False: cuts}
    assert len({(one.question.key, str(one.answer)) for one in claims}) == cuts
    assert lapses(patient, panda_ids) == []


@quick
@pytest.mark.parametrize("loss", ["answer", "server"])
def test_without_the_key_jobs_are_stranded(patient: Books, loss: str) -> None:
    """The control of both: pilots that ask with a new key each time."""
    # given
    place = patient.place()
    strand = {"answer": strand_by_lost_answers, "server": strand_by_kills}[loss]
    panda_ids: list[int] = []

    # when it goes on until a kill has met a claim between its commit and its answer
    for _ in range(ROUNDS):
        panda_ids += patient.activated(place, 200)
        strand(patient, place)
        if patient.states(panda_ids)["sent"]:
            break

    # then the checks of the two tests above find jobs that nobody works on
    assert patient.states(panda_ids)["sent"] > 0
    assert any("is sent" in lapse for lapse in lapses(patient, panda_ids))


def strand_by_lost_answers(books: Books, place: Place) -> None:
    with proxy_to(books.site.url) as proxy:
        proxy.lose_answer = the_first_of_each_key(times=20)
        pilots = [books.pilot(place, url=proxy.url, forgetful=True) for _ in range(PILOTS)]
        Crew([runner(pilot) for pilot in pilots]).finish()


def strand_by_kills(books: Books, place: Place) -> None:
    with web_workers(books.site, WORKERS):
        crew = Crew([runner(books.pilot(place, forgetful=True)) for _ in range(PILOTS)])
        kill_while(books, lambda: crew.busy, most=60)
        crew.finish()


def the_first_of_each_key(*, times: int = 1_000_000) -> Callable[[Question, dict[str, Any]], bool]:
    """Loses the first answer to each claim that came to a job, so many in all."""
    seen: set[str] = set()
    lock = threading.Lock()

    def lose(question: Question, answer: dict[str, Any]) -> bool:
        if question.path != CLAIM or not answer.get("job"):
            return False
        with lock:
            first = question.key not in seen and len(seen) < times
            if first:
                seen.add(question.key)
            return first

    return lose


def kill_while(books: Books, busy: Callable[[], bool], *, most: int) -> Counter[str]:
    """kill -9 of a worker each 0.15 s, and of the master 3 s after it came back; `most` in all.

    Not before something was answered since the last time: a machine on which no worker lives long
    enough for that would never come to an end.
    """
    site, kills, answered = books.site, Counter[str](), 0
    master_at = time.monotonic() + MASTER_SECONDS
    while busy() and kills.total() < most:
        time.sleep(WORKER_SECONDS)
        before, answered = answered, len(books.history.ops) - books.history.retries()
        if answered == before:
            continue
        if time.monotonic() < master_at:
            workers = psutil.Process(site.pieces["web"].pid).children()
            for one in workers[:1]:  # the oldest
                site.kill_process(one)
                kills["worker"] += 1
            continue
        site.kill_piece("web")
        site.start("web", workers_of(site, WORKERS))
        kills["master"] += 1
        eventually(site.web_answers, seconds=60, pause=0.05)
        master_at = time.monotonic() + MASTER_SECONDS
    return kills


def workers_of(site: FaultSite, number: int) -> Command:
    """The web server with so many workers."""
    command = site.command("web")
    return replace(command, argv=(*command.argv, "--workers", str(number)))


@contextmanager
def web_workers(site: FaultSite, number: int) -> Iterator[None]:
    """Inside, the web server has so many; it ends as it began."""
    site.kill_piece("web")
    site.start("web", workers_of(site, number))
    site.await_web()
    try:
        yield
    finally:
        site.kill_piece("web")
        site.start("web")
        site.await_web()
