"""F4, F5 and F26: the database is killed, stands still, or has few connections."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from signal import SIGCONT, SIGSTOP
from typing import Any

import psutil
from django.db import OperationalError

from jobs.states import JobState
from tests.faults.asking import REPORT
from tests.faults.books import Books
from tests.faults.checker import lapses, lost_beats
from tests.faults.crews import Crew, claimed, ids, runner
from tests.faults.history import History, Op, Outcome
from tests.faults.pilots import Pilot, report_body
from tests.faults.site import FaultSite
from tests.faults.sizes import long
from tests.faults.test_lost_answers import web_workers
from tests.flow.installation import eventually
from tests.flow.processes import below

log = logging.getLogger(__name__)

PILOTS = 12
UPDATES = 10_000
DOWN_SECONDS = 2.0
BACK_SECONDS = 5.0  # promised
STOPPED_SECONDS = 20.0
ANSWER_SECONDS = 16.0  # promised
CONNECTIONS = 20
HERD = 200


@long
def test_a_killed_database_loses_nothing_that_was_acknowledged(patient: Books) -> None:
    # given
    place, site = patient.place(), patient.site
    held = claimed(patient, place, PILOTS * 10)

    # when it is killed three times, with everything below it, during ten thousand updates
    beats = -(-UPDATES // len(held))
    shares = [held[nr::PILOTS] for nr in range(PILOTS)]
    over = threading.Event()
    crew = Crew([beater(patient.pilot(place), share, beats, until=over) for share in shares])
    try:
        outages = [kill_postgres(site, after=5.0) for _ in range(3)]
    finally:
        over.set()
    crew.finish()

    # then
    patient.await_states(ids(held), JobState.FINISHED)
    log.info("%s; %s", outages, patient.history.summary())
    assert len(patient.history.of("running", outcome=Outcome.OK)) >= UPDATES
    with site.books():
        assert list(lost_beats(patient, patient.history)) == []
    assert lapses(patient, ids(held)) == []
    assert [op for down, _up in outages for op in wrong_answers(patient.history, down)] == []
    waits = [first_good(patient.history, since=up) - up for _down, up in outages]
    log.info("served again after %s s", waits)
    assert max(waits) < 3 * BACK_SECONDS


@long
def test_without_synchronous_commit_a_killed_database_loses_what_was_acknowledged(
    patient: Books,
) -> None:
    """The control: a server that answers before it has written."""
    # given
    place, site = patient.place(), patient.site
    held = claimed(patient, place, PILOTS)
    site.stop_piece("postgres", number=site.end_signal("postgres"))
    site.start("postgres", with_settings(site, synchronous_commit="off", wal_writer_delay="10s"))
    eventually(site.servers.ready)

    # when
    crew = Crew([beater(patient.pilot(place), [job], 40, last=False) for job in held])
    time.sleep(1.0)
    site.kill_piece("postgres")
    site.start("postgres")
    eventually(site.servers.ready)
    with site.books():
        found = list(lost_beats(patient, patient.history))
    crew.finish()

    # then
    assert found != []


@long
def test_a_database_that_stands_still_loses_nothing(patient: Books) -> None:
    # given
    place, site = patient.place(), patient.site
    held = claimed(patient, place, PILOTS)

    # when it stands still for twenty seconds under pilots at work
    crew = Crew([beater(patient.pilot(place), [job], 200) for job in held])
    time.sleep(1.0)
    with standing_still(site):
        time.sleep(STOPPED_SECONDS)
    crew.finish()

    # then it was late, and all is there; and all threads serve again
    patient.await_states(ids(held), JobState.FINISHED)
    log.info("%s", patient.history.summary())
    with site.books():
        assert list(lost_beats(patient, patient.history)) == []
    assert lapses(patient, ids(held)) == []
    again = claimed(patient, place, 3 * PILOTS)
    assert len(again) == 3 * PILOTS


@long
def test_a_request_to_a_database_that_stands_still_is_answered(patient: Books) -> None:
    # given a web server all of whose threads have asked it something before
    place, site = patient.place(), patient.site
    held = claimed(patient, place, 10 * PILOTS)

    # when it is asked more at once than it has threads, while the database stands still
    with standing_still(site):
        Crew([asker(patient.pilot(place), job) for job in held]).finish()

    # then it says so in time
    asked = patient.history.of("running")
    assert {op.status for op in asked} == {503}
    assert max(op.end - op.start for op in asked) < ANSWER_SECONDS


@long
def test_without_a_limit_of_its_own_a_web_server_waits_with_the_database(patient: Books) -> None:
    """The control: nobody but the database says when a statement has taken too long."""
    # given
    place, site = patient.place(), patient.site
    site.kill_piece("web")
    command = site.command("web")
    unlimited = {**(command.env or {}), "PANDASITE_STATEMENT_SECONDS": "0"}
    site.start("web", replace(command, env=unlimited))
    site.await_web()
    held = claimed(patient, place, 10 * PILOTS)[:PILOTS]

    # when
    with standing_still(site):
        Crew([asker(patient.pilot(place), job) for job in held]).finish()

    # then
    asked = patient.history.of("running")
    site.kill_piece("web")
    site.start("web")
    site.await_web()
    assert max(op.end - op.start for op in asked) > ANSWER_SECONDS


@long
def test_two_hundred_pilots_share_twenty_connections(patient: Books) -> None:
    # given
    place, site = patient.place(), patient.site
    panda_ids = patient.activated(place, 600)

    # when
    with few_connections(site):
        pilots = [patient.pilot(place) for _ in range(HERD)]
        Crew([runner(pilot) for pilot in pilots]).finish()
        eventually(lambda: all_finished(patient, panda_ids), seconds=180, what=site.trouble_in_logs)

    # then
    log.info("%d answers of 503; %s", len(refused(patient)), patient.history.summary())
    assert len(refused(patient)) < len(patient.history.ops) / 100
    assert "deadlock detected" not in site.log_of("postgres")
    assert lapses(patient, panda_ids) == []


@long
def test_a_web_server_that_wants_more_connections_than_there_are_refuses_pilots(
    patient: Books,
) -> None:
    """The control: more threads than the database takes, each with a connection of its own."""
    # given
    place, site = patient.place(), patient.site
    held = claimed(patient, place, HERD)

    # when each pilot says something, and does not say it again
    with web_workers(site, 8), few_connections(site):
        Crew([asker(patient.pilot(place), job, beats=10) for job in held]).finish()

    # then
    log.info("%d answers of 503; %s", len(refused(patient)), patient.history.summary())
    assert len(refused(patient)) >= len(patient.history.ops) / 100


def all_finished(books: Books, panda_ids: list[int]) -> bool:
    """Also no where no connection is left for us to look by: the next look may have one."""
    try:
        return books.states(panda_ids) == {JobState.FINISHED: len(panda_ids)}
    except OperationalError:
        return False


def refused(books: Books) -> list[Op]:
    return [op for op in books.history.ops if op.status == 503]


def beater(
    pilot: Pilot,
    jobs: Sequence[dict[str, Any]],
    beats: int,
    *,
    last: bool = True,
    until: threading.Event | None = None,
) -> Callable[[], None]:
    """So many heartbeats of each of the jobs, and more until then; and the last word."""

    def work() -> None:
        seq = 0
        while seq < beats or (until and not until.is_set()):
            seq += 1
            for job in jobs:
                pilot.report(job, "running", seq=seq)
        for job in jobs if last else []:
            pilot.report(job, "finished", seq=seq + 1)

    return work


def asker(pilot: Pilot, job: dict[str, Any], *, beats: int = 1) -> Callable[[], object]:
    """So many heartbeats, each tried once."""

    def work() -> None:
        for seq in range(1, beats + 1):
            body = report_body(job, "running", seq=seq)
            pilot.asker.ask("running", REPORT, body, key=f"{job['panda_id']}.{seq}")

    return work


def kill_postgres(site: FaultSite, *, after: float) -> tuple[float, float]:
    """Kill it and everything below it; from when to when there was none (s, monotonic)."""
    time.sleep(after)
    site.kill_piece("postgres")
    down = time.monotonic()
    time.sleep(DOWN_SECONDS)
    before_start = time.monotonic()
    site.start("postgres")
    eventually(site.servers.ready, pause=0.02)
    log.info("recovered in %.1f s", time.monotonic() - before_start)
    return down, time.monotonic()


def wrong_answers(history: History, down: float) -> list[Op]:
    """Requests asked and answered without a database that did not say so."""
    asked = [op for op in history.ops if down < op.start and op.end < down + DOWN_SECONDS]
    return [op for op in asked if op.status != 503 or not op.retry_after]


def first_good(history: History, *, since: float) -> float:
    """When the first request after that was answered well."""
    return min(op.end for op in history.ops if op.end > since and op.outcome is Outcome.OK)


@contextmanager
def standing_still(site: FaultSite) -> Iterator[None]:
    """SIGSTOP of all of PostgreSQL, inside."""
    postmaster = psutil.Process(site.pieces["postgres"].pid)
    everybody = [postmaster, *below(postmaster)]
    for one in everybody:
        one.send_signal(SIGSTOP)
    try:
        yield
    finally:
        for one in everybody:
            one.send_signal(SIGCONT)


def with_settings(site: FaultSite, **settings: str) -> Any:
    command = site.command("postgres")
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return replace(command, argv=(*command.argv, *words))


@contextmanager
def few_connections(site: FaultSite) -> Iterator[None]:
    """Inside, the database takes twenty; the three above them are the superuser's."""
    in_order = site.end_signal("postgres")
    site.stop_piece("postgres", number=in_order)
    site.start("postgres", with_settings(site, max_connections=str(CONNECTIONS + 3)))
    eventually(site.servers.ready)
    try:
        yield
    finally:
        site.stop_piece("postgres", number=in_order)
        site.start_servers()
