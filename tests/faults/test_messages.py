"""F7 and F10: messages vanish, or come twice."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from datasets.models import Transfer
from datasets.states import TransferState
from jobs.states import JobState
from tests.faults.books import Books
from tests.faults.checker import double_moves
from tests.faults.site import SWEEP_SECONDS, FaultSite
from tests.faults.sizes import long
from tests.faults.told import broker, lie_until_there_is_a_timetable, start_without_timetable
from tests.faults.transfers import (
    DECISIONS,
    await_waiting,
    nobody_may_write,
    not_moved_once,
    queued,
    states_of,
)
from tests.flow.installation import eventually

log = logging.getLogger(__name__)

JOBS = 1000
TASKS = 20
ENDED = {TransferState.DONE, TransferState.FAILED}
HASTY = ("transfers", "transfers2")
TASK_SECONDS = 120.0  # that they take, at most


@long
def test_an_emptied_broker_holds_up_brokerage_for_some_sweeps(patient: Books) -> None:
    # given how long brokerage takes
    place, site = patient.place(), patient.site
    begun = time.monotonic()
    patient.activated(place, JOBS)
    undisturbed = time.monotonic() - begun

    # when the broker forgets everything in the middle
    begun = time.monotonic()
    panda_ids = patient.submit(place, JOBS // 2)
    with nobody_may_write(site, DECISIONS):
        await_waiting(site, 1)
        panda_ids += patient.submit(place, JOBS // 2)
        flush(site)
    patient.await_states(panda_ids, JobState.ACTIVATED, seconds=10 * undisturbed + 60)

    # then
    took = time.monotonic() - begun
    log.info("%.1f s, undisturbed %.1f s", took, undisturbed)
    with site.books():
        assert list(double_moves(panda_ids)) == []
    assert took < 3 * (undisturbed + 3 * SWEEP_SECONDS)


@long
def test_without_a_timetable_what_the_broker_forgot_is_never_done(patient: Books) -> None:
    """The control: workers that wait to be told."""
    # given
    place, site = patient.place(), patient.site
    site.kill_piece("worker")

    # when
    panda_ids = patient.submit(place, 5)
    flush(site)
    start_without_timetable(site)
    time.sleep(3 * SWEEP_SECONDS)

    # then
    lie_until_there_is_a_timetable(patient, panda_ids)


@long
def test_tasks_that_are_delivered_twice_are_done_once(patient: Books) -> None:
    # given workers whose broker delivers again what takes longer than 2 s
    site = patient.site
    start_hasty_workers(site, lease_seconds=600)

    # when twenty tasks take that long
    with nobody_may_bring(site):
        keys = queued(patient, TASKS)
        eventually(lambda: states_of(site, keys) == {TransferState.COPYING}, what=site.trouble)
        eventually(lambda: deliveries(site) >= 2 * TASKS, seconds=TASK_SECONDS)
    eventually(lambda: states_of(site, keys) == {TransferState.DONE}, what=site.trouble)

    # then
    stop_hasty_workers(site)
    log.info("%d deliveries of %d tasks", deliveries(site), TASKS)
    with site.books():
        assert list(not_moved_once(keys)) == []
    assert more_than_once(site, keys) == 0


@long
def test_without_a_lease_tasks_that_are_delivered_twice_are_begun_twice(patient: Books) -> None:
    """The control: nobody who holds a task holds it for longer than a second."""
    # given
    site = patient.site
    start_hasty_workers(site, lease_seconds=1)

    # when
    with nobody_may_bring(site):
        keys = queued(patient, TASKS)
        eventually(lambda: more_than_once(site, keys) > 0, seconds=TASK_SECONDS, what=site.trouble)
    eventually(lambda: states_of(site, keys) <= ENDED, what=site.trouble)

    # then
    stop_hasty_workers(site)
    assert more_than_once(site, keys) > 0


@contextmanager
def nobody_may_bring(site: FaultSite) -> Iterator[None]:
    """Inside, the hasty workers take transfers, and copy nothing."""
    with open(gate_of(site), "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def gate_of(site: FaultSite) -> str:
    return str(site.home.path / "gate")


def start_hasty_workers(site: FaultSite, *, lease_seconds: int) -> None:
    """Two for transfers, which are told again of what takes longer than two seconds."""
    site.limits = {**site.limits, "PANDASITE_TRANSFER_LEASE_SECONDS": str(lease_seconds)}
    site.kill_piece("transfers")
    for name in HASTY:
        (site.home.logs / f"{name}.log").unlink(missing_ok=True)
        words = ("-Q", "transfers", "-P", "threads", "-c", "25")
        command = site.worker(name, *words, app="tests.faults.hasty")
        site.start(
            name, replace(command, env={**(command.env or {}), "FAULTS_GATE": gate_of(site)})
        )


def stop_hasty_workers(site: FaultSite) -> None:
    for name in HASTY:
        site.stop_piece(name)


def more_than_once(site: FaultSite, keys: list[int]) -> int:
    """How many of the transfers somebody has begun again."""
    with site.books():
        return Transfer.objects.filter(pk__in=keys, attempts__gt=1).count()


def flush(site: FaultSite) -> None:
    """FLUSHALL."""
    with broker(site) as client:
        client.flushall()


def deliveries(site: FaultSite) -> int:
    """How often the two were handed a task."""
    logs = [site.log_of(name) for name in HASTY]
    return sum(log.count("delivered datasets.transfer") for log in logs)
