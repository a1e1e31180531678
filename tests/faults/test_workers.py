"""F8: a Celery worker dies with everything that it was doing."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from datasets.states import TransferState
from pandasite.embedded.process import Command
from tests.faults.books import Books
from tests.faults.site import LEASE_SECONDS, SWEEP_SECONDS, FaultSite
from tests.faults.sizes import quick
from tests.faults.transfers import (
    await_waiting,
    nobody_may_register,
    not_moved_once,
    queued,
    states_of,
)
from tests.flow.installation import eventually

log = logging.getLogger(__name__)

TASKS = 50
LOADED = "[tasks]"  # what a worker prints before it looks for work
LIMIT_SECONDS = 3 * (LEASE_SECONDS + SWEEP_SECONDS)


@quick
def test_tasks_of_a_killed_worker_are_done_once_by_the_next(patient: Books) -> None:
    # given a worker with fifty tasks under way, each before its last step
    site = patient.site
    keys = queued(patient, TASKS)
    kill_with_all_under_way(site, TASKS)

    # when another one has come
    loaded = site.log_of("transfers").count(LOADED)
    site.start("transfers", worker_of(site, TASKS))
    eventually(lambda: site.log_of("transfers").count(LOADED) > loaded, pause=0.05)
    began = time.monotonic()
    eventually(lambda: states_of(site, keys) == {TransferState.DONE}, what=site.trouble)

    # then
    took = time.monotonic() - began
    log.info("done %.1f s after the next one had come", took)
    with site.books():
        assert list(not_moved_once(keys)) == []
    assert took < LIMIT_SECONDS


@quick
def test_without_a_lease_in_the_books_the_tasks_are_lost(patient: Books) -> None:
    """The control: nobody looks for leases that have ended; the broker keeps what was taken."""
    # given
    site = patient.site
    keys = queued(patient, 3)
    kill_with_all_under_way(site, 3)

    # when no sweep runs
    site.kill_piece("worker")
    site.start("transfers")
    time.sleep(2 * (LEASE_SECONDS + SWEEP_SECONDS))

    # then
    with site.books():
        found = list(not_moved_once(keys))
    site.start("worker")
    assert sum("is copying" in lapse or "is queued" in lapse for lapse in found) == 3
    eventually(lambda: states_of(site, keys) == {TransferState.DONE}, what=site.trouble)


def kill_with_all_under_way(site: FaultSite, number: int) -> None:
    site.kill_piece("transfers")
    site.start("transfers", worker_of(site, number))
    with nobody_may_register(site):
        await_waiting(site, number)
        site.kill_piece("transfers")


def worker_of(site: FaultSite, threads: int) -> Command:
    """The transfer worker with so many threads, which wait for a lock as long as it takes."""
    command = site.worker("transfers", "-Q", "transfers", "-P", "threads", "-c", str(threads))
    return replace(command, env={**(command.env or {}), "PANDASITE_STATEMENT_SECONDS": "0"})
