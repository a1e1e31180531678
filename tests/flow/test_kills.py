"""kill -9 of each part in the middle of a production: every job still ends once, and well."""

from __future__ import annotations

import logging
import time

import psutil
import pytest

from datasets.models import Transfer
from datasets.states import TransferState
from jobs.models import Job
from tests.flow.checks import half_files, wrongs
from tests.flow.grid import ARCHIVE, pairs, with_archive
from tests.flow.installation import eventually
from tests.flow.journal import runs
from tests.flow.processes import alive, below, seconds_until_gone
from tests.flow.site import LEASE_SECONDS, FlowSite

pytestmark = pytest.mark.faults
log = logging.getLogger(__name__)


def test_a_killed_web_server_costs_no_job(site: FlowSite) -> None:
    # given a production, and pilots at work on it
    panda_ids = site.submit(pairs("web", number=4, journal=site.journal))
    await_payloads(site, panda_ids, number=2)
    before = [site.process("web"), *below(site.process("web"))]

    # when single workers are killed, and then twice the whole server
    for _ in range(5):
        kill_a_web_worker(site)
        time.sleep(0.3)
    outages = [outage_of_a_killed(site) for _ in range(2)]

    # then
    log.info("the web server was away for %s s", outages)
    site.await_end(panda_ids)
    assert wrongs(site, panda_ids) == []
    assert seconds_until_gone(before, limit=10) < 10
    # A busy machine may take longer than the lease of these tests to bring it back.
    if max(outages) < LEASE_SECONDS / 2:
        assert attempts(site, panda_ids) == {1}


def test_killed_workers_cost_no_job(site: FlowSite) -> None:
    # given a transfer that takes its time, and others around it
    panda_ids = site.submit(with_archive("workers", number=3, journal=site.journal))
    with site.books():
        eventually(is_being_copied, pause=0.02)
    before = [one for name in ("worker", "transfers") for one in tree(site, name)]

    # when sweeps, beat and transfers are killed together
    for name in ("worker", "transfers"):
        site.process(name).kill()
    seconds_until_gone(before, limit=3)
    with site.books():
        half_a_file = list(half_files())

    # then
    site.await_end(panda_ids)
    assert half_a_file != []
    with site.books():
        assert Transfer.objects.get(file__lfn=ARCHIVE).attempts == 2
    assert wrongs(site, panda_ids) == []


def test_a_killed_launcher_leaves_no_process_and_costs_no_job(site: FlowSite) -> None:
    # given
    panda_ids = site.submit(pairs("launcher", number=4, journal=site.journal))
    await_payloads(site, panda_ids, number=2)
    payloads = [run.pid for run in runs(site.journal) if psutil.pid_exists(run.pid)]

    # when
    everybody = site.family.living()
    site.kill()

    # then
    took = seconds_until_gone(everybody, limit=10)
    assert site.family.living() == []
    assert payloads != []
    log.info("a killed launcher's %d processes were gone after %.1f s", len(everybody), took)

    # and when it is started again in the same folder
    log.info("started again in %.1f s", site.start())
    site.await_end(panda_ids)
    assert wrongs(site, panda_ids) == []


def await_payloads(site: FlowSite, panda_ids: list[int], *, number: int) -> None:
    """Until so many of these jobs are being run at this moment."""

    def enough() -> bool:
        found = [run for run in runs(site.journal) if run.panda_id in panda_ids]
        return sum(is_running(run.pid) for run in found) >= number

    eventually(enough, what=lambda: str(site.states(panda_ids)))


def is_running(pid: int) -> bool:
    try:
        return alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def kill_a_web_worker(site: FlowSite) -> None:
    workers = site.process("web").children()
    if workers:
        workers[0].kill()


def outage_of_a_killed(site: FlowSite) -> float:
    """Kill the web server; how long it took until its successor answered (s)."""
    begun = time.monotonic()
    killed = site.process("web")
    killed.kill()
    # Its last workers answer until they see that they are orphans.
    eventually(lambda: site.runs_anew("web", killed) and site.answers())
    return round(time.monotonic() - begun, 1)


def tree(site: FlowSite, name: str) -> list[psutil.Process]:
    process = site.process(name)
    return [process, *below(process)]


def attempts(site: FlowSite, panda_ids: list[int]) -> set[int]:
    with site.books():
        return set(Job.objects.filter(pk__in=panda_ids).values_list("attempt_nr", flat=True))


def is_being_copied() -> bool:
    """Whether a part of the large file is where it is to go."""
    copying = Transfer.objects.filter(file__lfn=ARCHIVE, state=TransferState.COPYING)
    return copying.exists() and any(half_files())
