"""F24: the web server is replaced under load. (F27, a herd of pilots: tests/scale.)"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from jobs.states import JobState
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.crews import Crew, claimed, ids
from tests.faults.history import Outcome
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
    place, site = patient.place(), patient.site
    held = claimed(patient, place, CLIENTS)
    site.start("web2", site.command("web"))
    state = {"on": True}
    crew = Crew([steady(patient.pilot(place), job, lambda: state["on"]) for job in held])

    # when they are replaced in turn, five times
    took = [restart(site, ("web", "web2")[nr % 2]) for nr in range(RESTARTS)]
    state["on"] = False
    crew.finish()
    site.stop_piece("web2")

    # then
    tries = patient.history.of("running")
    cut = [op for op in tries if op.outcome is Outcome.UNKNOWN]
    log.info(
        "%d of %d cut; ended in %s s; %s", len(cut), len(tries), took, patient.history.summary()
    )
    assert max(took) < STOP_SECONDS
    assert len(cut) <= len(tries) / 1000
    patient.await_states(ids(held), JobState.FINISHED)
    assert lapses(patient, ids(held)) == []


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


def restart(site: FaultSite, name: str) -> float:
    """End a web server in order and start it again; how long it took to end (s)."""
    begun = time.monotonic()
    site.stop_piece(name)
    took = time.monotonic() - begun
    log_before = len(site.log_of(name))
    site.start(name, site.command("web"))
    eventually(lambda: "Booting worker" in site.log_of(name)[log_before:], pause=0.05)
    time.sleep(1.0)
    return round(took, 1)
