"""F7, F9, F10 and F11: messages vanish, come twice, or their reader dies while it reads them."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import psutil
import redis

from datasets.models import Transfer
from datasets.states import TransferState
from jobs.states import JobState
from pandasite.embedded.keys import Keys
from pandasite.embedded.valkey import socket_path
from pandasite.launcher.stack import WORKERS
from tests.faults import named
from tests.faults.books import Books
from tests.faults.checker import double_moves, lapses
from tests.faults.crews import Crew, runner
from tests.faults.site import SWEEP_SECONDS, FaultSite
from tests.faults.sizes import long, quick
from tests.faults.transfers import (
    await_waiting,
    nobody_may_register,
    not_moved_once,
    queued,
    states_of,
)
from tests.flow.installation import eventually

log = logging.getLogger(__name__)

JOBS = 1000
CHILD_KILLS = 20
END_SECONDS = 10.0  # of a worker, in order
WORKERS_MAX = 5  # that die over one transfer before it is given up
TASK_SECONDS = 120.0  # that they take, at most
BEAT_SECONDS = 300.0


@long
def test_an_emptied_broker_holds_up_brokerage_for_some_sweeps(patient: Books) -> None:
    # given how long brokerage takes
    place = patient.place()
    begun = time.monotonic()
    patient.activated(place, JOBS)
    undisturbed = time.monotonic() - begun

    # when the broker forgets everything in the middle
    begun = time.monotonic()
    panda_ids = patient.submit(place, JOBS)
    eventually(lambda: patient.states(panda_ids)[JobState.ACTIVATED] > 0, pause=0.02)
    flush(patient.site)
    patient.await_states(panda_ids, JobState.ACTIVATED, seconds=10 * undisturbed + 60)

    # then
    took = time.monotonic() - begun
    log.info("%.1f s, undisturbed %.1f s", took, undisturbed)
    with patient.site.books():
        assert list(double_moves(panda_ids)) == []
    assert took < 3 * (undisturbed + 3 * SWEEP_SECONDS)


@long
def test_killed_pool_processes_lose_no_work(patient: Books) -> None:
    # given
    place, site = patient.place(), patient.site
    beat = start_named_worker(site)
    panda_ids: list[int] = []

    # when the process that runs the sweeps is killed each time there is work for it
    for _ in range(CHILD_KILLS):
        panda_ids += patient.submit(place, 5)
        kill_other_children(site, beat)

    # then all is done, once
    patient.await_states(panda_ids, JobState.ACTIVATED)
    Crew([runner(patient.pilot(place)) for _ in range(4)]).finish()
    patient.await_states(panda_ids, JobState.FINISHED)
    assert lapses(patient, panda_ids) == []


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
        deaths += die_over_it(site)
        assert deaths <= 2 * WORKERS_MAX, site.trouble()

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
def test_tasks_that_are_delivered_twice_are_done_once(patient: Books) -> None:
    # given workers with a broker that delivers again what takes longer than 2 s
    site = patient.site
    site.limits = {**site.limits, "PANDASITE_TRANSFER_LEASE_SECONDS": "600"}
    site.kill_piece("transfers")
    for name in ("transfers", "transfers2"):
        words = ("-Q", "transfers", "-P", "threads", "-c", "25")
        command = site.worker(name, *words, app="tests.faults.hasty")
        patience = {**(command.env or {}), "PANDASITE_STATEMENT_SECONDS": "0"}
        site.start(name, replace(command, env=patience))

    # when twenty tasks take that long
    keys = queued(patient, 20)
    with nobody_may_register(site):
        await_waiting(site, 20)
        eventually(lambda: deliveries(site) >= 2 * 20, seconds=TASK_SECONDS)
    eventually(lambda: states_of(site, keys) == {TransferState.DONE}, what=site.trouble)

    # then
    for name in ("transfers", "transfers2"):
        site.stop_piece(name)
    log.info("%d deliveries of 20 tasks", deliveries(site))
    with site.books():
        assert list(not_moved_once(keys)) == []
        attempts = Transfer.objects.filter(pk__in=keys).values_list("attempts", flat=True)
        assert set(attempts) == {1}


@long
def test_two_timetables_do_nothing_twice(patient: Books) -> None:
    # given two workers, each with a beat of its own
    place, site = patient.place(), patient.site
    site.start("worker2", site.worker("worker2", "-B", "-Q", "celery", "-c", "1"))

    # when they run for five minutes, with jobs all the time
    panda_ids, until = [], time.monotonic() + BEAT_SECONDS
    before = site.sweeps_of("jobs.watch")
    while time.monotonic() < until:
        panda_ids += patient.activated(place, 10)
        runner(patient.pilot(place))()
    runs = site.sweeps_of("jobs.watch") - before
    site.stop_piece("worker2")

    # then every move was made once
    patient.await_states(panda_ids, JobState.FINISHED)
    log.info("%d rounds of the watchdog in %.0f s, %d jobs", runs, BEAT_SECONDS, len(panda_ids))
    assert lapses(patient, panda_ids) == []


def flush(site: FaultSite) -> None:
    """FLUSHALL."""
    password = Keys.of(site.home.secrets).broker_password
    with redis.Redis(unix_socket_path=str(socket_path(site.home)), password=password) as client:
        client.flushall()


def start_named_worker(site: FaultSite) -> psutil.Process:
    """The worker of the sweeps anew; the process of its beat."""
    written = site.home.path / named.NAME
    written.unlink(missing_ok=True)
    site.kill_piece("worker")
    site.start("worker", site.worker("worker", *WORKERS["worker"], app="tests.faults.named"))
    eventually(written.exists, pause=0.05, what=site.trouble_in_logs)
    return psutil.Process(int(written.read_text(encoding="ascii")))


def kill_other_children(site: FaultSite, beat: psutil.Process) -> None:
    """kill -9, as for want of memory; not before there is somebody to be killed."""
    worker = psutil.Process(site.pieces["worker"].pid)

    def others() -> list[psutil.Process]:
        return [child for child in worker.children() if child != beat]

    eventually(lambda: others() != [], pause=0.02)
    for child in others():
        site.kill_process(child)


def die_over_it(site: FaultSite) -> int:
    """A worker takes what there is, and is killed before its last step; 1 when it came to that."""
    if "transfers" in site.pieces:
        site.kill_piece("transfers")
    site.start("transfers")
    with nobody_may_register(site):
        try:
            await_waiting(site, 1, seconds=20)
        except AssertionError:
            return 0  # nothing was to be had: it is given up
        site.kill_piece("transfers")
    time.sleep(2.5)  # its lease
    return 1


def deliveries(site: FaultSite) -> int:
    """How often the two were handed a task."""
    logs = [site.log_of(name) for name in ("transfers", "transfers2")]
    return sum(log.count("delivered datasets.transfer") for log in logs)
