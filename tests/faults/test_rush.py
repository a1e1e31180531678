"""F24: the web server is replaced under load. (F27, a herd of pilots: tests/scale.)"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import psutil

from jobs.states import JobState
from pandasite.base.models import ServerProcess
from pandasite.launcher.web import WORKERS
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.crews import Crew, claimed, ids
from tests.faults.grid import Place
from tests.faults.history import Op, Outcome
from tests.faults.pilots import Pilot
from tests.faults.site import STOP_SECONDS, FaultSite
from tests.faults.sizes import long
from tests.flow.installation import eventually

log = logging.getLogger(__name__)

RESTARTS = 5
RATE = 200.0  # requests a second, as far as the machine goes
CLIENTS = 8


@long
def test_rolling_restarts_cut_no_request(patient: Books) -> None:
    # given two web servers behind one address, and heartbeats all the time
    place = patient.place()
    held = claimed(patient, place, CLIENTS)

    # when they are replaced in turn, five times
    took = replaced_under_load(patient, place, held, FaultSite.stop_piece)

    # then
    log.info("ended in %s s; %s", took, said(patient))
    assert max(took) < STOP_SECONDS
    assert len(cut(patient)) <= len(patient.history.of("running")) / 1000
    patient.await_states(ids(held), JobState.FINISHED)
    assert lapses(patient, ids(held)) == []


@long
def test_killed_web_servers_cut_requests(patient: Books) -> None:
    """The control: they are replaced as they die, not as they end."""
    # given
    place = patient.place()
    held = claimed(patient, place, CLIENTS)

    # when
    replaced_under_load(patient, place, held, FaultSite.kill_piece)

    # then
    log.info("%s", said(patient))
    assert len(cut(patient)) > len(patient.history.of("running")) / 1000


def replaced_under_load(
    books: Books, place: Place, held: list[dict[str, Any]], end: Callable[[FaultSite, str], None]
) -> list[float]:
    """How long each of the five took to end (s)."""
    site, state = books.site, {"on": True}
    site.start("web2", site.command("web"))
    crew = Crew([steady(books.pilot(place), job, lambda: state["on"]) for job in held])
    try:
        took = [restart(site, ("web", "web2")[nr % 2], end) for nr in range(RESTARTS)]
    finally:
        state["on"] = False
        crew.finish()
    site.stop_piece("web2")
    return took


def cut(books: Books) -> list[Op]:
    """Heartbeats that were not answered."""
    return books.history.of("running", outcome=Outcome.UNKNOWN)


def said(books: Books) -> str:
    tries = len(books.history.of("running"))
    return f"{len(cut(books))} of {tries} cut; {books.history.summary()}"


def steady(pilot: Pilot, job: dict[str, Any], goes_on: Callable[[], bool]) -> Callable[[], None]:
    """Heartbeats at this client's share of the rate, each over a connection of its own."""

    def work() -> None:
        seq = 0
        while goes_on():
            seq += 1
            due = time.monotonic() + CLIENTS / RATE
            pilot.report(job, "running", seq=seq)
            pilot.asker.close()
            time.sleep(max(0.0, due - time.monotonic()))
        pilot.report(job, "finished", seq=seq + 1)

    return work


def restart(site: FaultSite, name: str, end: Callable[[FaultSite, str], None]) -> float:
    """End a web server and start it again; how long it took to end (s)."""
    begun = time.monotonic()
    end(site, name)
    took = time.monotonic() - begun
    site.start(name, site.command("web"))
    eventually(lambda: serves(site, name), pause=0.2)
    time.sleep(1.0)
    return round(took, 1)


def serves(site: FaultSite, name: str) -> bool:
    """Whether all its workers have said so: at its address the other one answers, too."""
    workers = {child.pid for child in psutil.Process(site.pieces[name].pid).children()}
    with site.books():
        there = ServerProcess.objects.filter(role="web", pid__in=workers).count()
    return there == WORKERS
