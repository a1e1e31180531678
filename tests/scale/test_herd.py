"""Many at once: a thousand pilots in a second (F27), a thousand connections that are kept."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator

import pytest

from jobs.states import JobState
from tests.scale.herd import Line, Reply, allow_open_files, percentile
from tests.scale.site import LIMITS, PLACE, Host, ScaleSite, hosts

PILOTS = 1000
JOBS = 10
KEPT = 1000  # connections
CLAIMERS = 8
SECONDS = 3.0  # shorter than the server keeps what is idle
RETRY_AFTER = int(LIMITS["PANDASITE_RETRY_AFTER_SECONDS"])
JITTER = 0.2

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def host(site: ScaleSite) -> Iterator[Host]:
    allow_open_files()
    started = site.start_host("herd", "127.0.0.2", site.environment("herd"))
    with hosts(site, started) as (host,):
        yield host


@pytest.mark.long
def test_a_thousand_pilots_in_a_second_get_ten_jobs_once(site: ScaleSite, host: Host) -> None:
    # given
    panda_ids = site.manager(host).submit(place=PLACE, number=JOBS)
    site.await_state(panda_ids, JobState.ACTIVATED)

    async def pilot(nr: int) -> Reply:
        await asyncio.sleep(random.random())
        line = await Line(host.url, site.pilot_token).open()
        try:
            return await line.claim(place=PLACE, pilot=f"herd{nr}")
        finally:
            line.close()

    async def herd() -> list[Reply]:
        return await asyncio.gather(*(pilot(nr) for nr in range(PILOTS)))

    # when
    replies = asyncio.run(herd())

    # then each job is with one pilot, and nobody was turned away
    log.info("F27: %s", latencies(replies))
    assert {reply.status for reply in replies} == {200}
    given = [reply.body["job"]["panda_id"] for reply in replies if reply.body["job"]]
    assert sorted(given) == sorted(panda_ids)
    # and the others come back at different times
    refused = [reply for reply in replies if not reply.body["job"]]
    assert {reply.body["reason"] for reply in refused} == {"no_job"}
    waits = {reply.body["retry_after"] for reply in refused}
    assert RETRY_AFTER * (1 - JITTER) <= min(waits) < max(waits) <= RETRY_AFTER * (1 + JITTER)
    assert site.states(panda_ids) == ["sent"] * JOBS
    assert site.fsck() == []


@pytest.mark.long
@pytest.mark.parametrize("speak", [True, False], ids=["have-spoken", "are-silent"])
def test_a_thousand_idle_connections_do_not_stop_the_others(
    site: ScaleSite, host: Host, speak: bool
) -> None:
    async def kept() -> Line:
        line = await Line(host.url, "").open()
        if speak:
            assert (await line.ask("GET", "/healthz/live")).status == 200
        return line

    async def claimer(nr: int, deadline: float) -> list[Reply]:
        line = await Line(host.url, site.pilot_token).open()
        replies = []
        while asyncio.get_running_loop().time() < deadline:
            replies.append(await line.claim(place=PLACE, pilot=f"claimer{nr}"))
        line.close()
        return replies

    async def work() -> list[Reply]:
        # given
        lines = await asyncio.gather(*(kept() for _ in range(KEPT)))
        # when
        deadline = asyncio.get_running_loop().time() + SECONDS
        found = await asyncio.gather(*(claimer(nr, deadline) for nr in range(CLAIMERS)))
        for line in lines:
            line.close()
        return [reply for replies in found for reply in replies]

    replies = asyncio.run(asyncio.wait_for(work(), timeout=60))

    # then
    log.info("claims beside %d idle connections: %s", KEPT, latencies(replies))
    assert {reply.status for reply in replies} == {200}
    assert len(replies) > CLAIMERS


def latencies(replies: list[Reply]) -> str:
    found = {f"p{percent}": percentile(replies, percent) for percent in (50, 99)}
    return f"{len(replies)} answers, {found} ms"
