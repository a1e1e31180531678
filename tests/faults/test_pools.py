"""F9: a process of a pool dies in the middle of its work, and some work kills its workers."""

from __future__ import annotations

import time
from typing import Any

import psutil

from datasets.models import Transfer
from datasets.states import TransferState
from jobs.states import JobState
from pandasite.launcher.stack import WORKERS
from tests.faults import named
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.crews import Crew, runner
from tests.faults.site import SWEEP_SECONDS, FaultSite
from tests.faults.sizes import long, quick
from tests.faults.told import (
    fold_by_message,
    lie_until_there_is_a_timetable,
    start_without_timetable,
)
from tests.faults.transfers import (
    DECISIONS,
    await_waiting,
    nobody_may_register,
    nobody_may_write,
    not_moved_once,
    queued,
    states_of,
    waiting,
)
from tests.flow.installation import eventually

CHILD_KILLS = 20
END_SECONDS = 10.0  # of a worker, in order
WORKERS_MAX = 5  # that die over one transfer before it is given up
TRANSFER_LEASE_SECONDS = 2.5
# Until a worker has begun: a message that was lost with the one before is sent again after 60 s.
TAKEN_SECONDS = 240.0


@long
def test_killed_pool_processes_lose_no_work(patient: Books) -> None:
    # given
    place, site = patient.place(), patient.site
    beat = start_named_worker(site)
    panda_ids: list[int] = []

    # when the process that runs the sweeps is killed each time in the middle of brokerage
    for _ in range(CHILD_KILLS):
        panda_ids += patient.submit(place, 5)
        kill_at_work(site, but=[beat])

    # then all is done, once
    patient.await_states(panda_ids, JobState.ACTIVATED)
    Crew([runner(patient.pilot(place)) for _ in range(4)]).finish()
    patient.await_states(panda_ids, JobState.FINISHED)
    assert lapses(patient, panda_ids) == []


@long
def test_without_a_timetable_the_work_of_a_killed_process_is_lost(patient: Books) -> None:
    """The control: a worker that is told of its work once, and looks for none by itself."""
    # given
    place, site = patient.place(), patient.site
    start_without_timetable(site)

    # when
    panda_ids = patient.submit(place, 5)
    kill_at_work(site, but=[])
    fold_by_message(site)  # there is another process
    time.sleep(2 * SWEEP_SECONDS)

    # then
    lie_until_there_is_a_timetable(patient, panda_ids)


@quick
def test_a_worker_without_its_timetable_ends_and_comes_back(patient: Books) -> None:
    # given
    place, site = patient.place(), patient.site
    beat = start_named_worker(site)
    site.await_sweep("jobs.watch")

    # when the process that only sends is killed
    site.kill_process(beat)

    # then the worker does not go on without it: whoever started it starts it again
    assert site.pieces.pop("worker").wait(3 * END_SECONDS) == 0
    site.start("worker")
    patient.activated(place, 3)
    site.await_sweep("jobs.watch")


@long
def test_a_task_that_kills_its_workers_is_given_up_and_the_others_go_on(patient: Books) -> None:
    # given a transfer whose every worker dies before its last step
    site = patient.site
    [poison] = queued(patient, 1)
    deaths = 0
    while states_of(site, [poison]) != {TransferState.FAILED}:
        deaths += die_over_it(site, poison)
        assert deaths <= WORKERS_MAX, f"{about(site, poison)}; {site.trouble()}"

    # when there are others
    site.start("transfers")
    keys = queued(patient, 10)
    eventually(lambda: states_of(site, keys) == {TransferState.DONE}, what=site.trouble)

    # then
    with site.books():
        given_up = Transfer.objects.get(pk=poison)
        assert list(not_moved_once(keys)) == []
    assert given_up.attempts == WORKERS_MAX
    assert "workers fell silent" in given_up.error


@long
def test_without_a_limit_a_task_goes_on_to_kill_its_workers(patient: Books) -> None:
    """The control: a worker of the sweeps that offers a transfer again however often it killed."""
    # given
    site = patient.site
    site.kill_piece("worker")
    app = "tests.faults.stubborn"
    site.start("worker", site.worker("worker", *WORKERS["worker"], app=app))
    [poison] = queued(patient, 1)

    # when
    for _ in range(WORKERS_MAX + 1):
        assert die_over_it(site, poison), f"{about(site, poison)}; {site.trouble()}"

    # then
    with site.books():
        found = Transfer.objects.get(pk=poison)
    site.start("transfers")
    site.kill_piece("worker")
    site.start("worker")
    assert found.attempts > WORKERS_MAX
    assert found.state != TransferState.FAILED


def about(site: FaultSite, key: int) -> dict[str, Any]:
    with site.books():
        return Transfer.objects.values().get(pk=key)


def start_named_worker(site: FaultSite) -> psutil.Process:
    """The worker of the sweeps anew; the process of its beat."""
    written = site.home.path / named.NAME
    written.unlink(missing_ok=True)
    site.kill_piece("worker")
    site.start("worker", site.worker("worker", *WORKERS["worker"], app="tests.faults.named"))
    eventually(written.exists, pause=0.05, what=site.trouble_in_logs)
    return psutil.Process(int(written.read_text(encoding="ascii")))


def kill_at_work(site: FaultSite, *, but: list[psutil.Process]) -> None:
    """kill -9 of the pool, as for want of memory, when it comes to write what it has decided."""
    worker = psutil.Process(site.pieces["worker"].pid)
    with nobody_may_write(site, DECISIONS):
        await_waiting(site, 1)
        for child in worker.children():
            if child not in but:
                site.kill_process(child)


def die_over_it(site: FaultSite, key: int) -> int:
    """A worker takes this transfer, and is killed before its last step; 1 when it came to that."""
    before = about(site, key)["attempts"]
    if "transfers" in site.pieces:
        site.kill_piece("transfers")
    site.start("transfers")

    def is_taken_or_given_up() -> bool:
        found = Transfer.objects.get(pk=key)
        taken = found.attempts > before and waiting() > 0
        return taken or found.state == TransferState.FAILED

    with nobody_may_register(site):
        eventually(
            is_taken_or_given_up, pause=0.05, seconds=TAKEN_SECONDS, what=site.trouble_in_logs
        )
        taken = Transfer.objects.get(pk=key).attempts - before
        site.kill_piece("transfers")
    time.sleep(TRANSFER_LEASE_SECONDS)
    return taken
