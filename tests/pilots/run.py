"""Four jobs, four pilots: one job finishes, one fails, one is killed from the web page.

And one finishes with a pilot that comes by HTTPS and shows a proxy certificate, as in 2009.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.pilots.site import PilotSite

OUTPUT, BY_PROXY = "sum.txt", "sum_by_proxy.txt"
WHY = "it takes too long"
HELD = ("sent", "starting", "running", "holding", "transferring", "finished")
# The pilot waits two minutes before it tells of a failure, and half of one after a kill.
FINISH_SECONDS, KILL_SECONDS, FAIL_SECONDS = 150.0, 120.0, 300.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The PandaIDs of the jobs, which are final."""

    site: PilotSite
    finished: int
    failed: int
    killed: int
    by_proxy: int


def run_jobs(site: PilotSite) -> Ended:
    """Run them side by side, until each is final."""
    site.announce()
    by_proxy = site.submit("run_ok.sh", output=BY_PROXY)
    site.await_state(by_proxy, "activated", seconds=60.0)
    # Alone until it has its job: so it is this pilot that has it.
    site.start_pilot_with_proxy("pilot-by-proxy")
    site.await_state(by_proxy, *HELD, seconds=FINISH_SECONDS)
    jobs = Ended(
        site=site,
        by_proxy=by_proxy,
        finished=site.submit("run_ok.sh", output=OUTPUT),
        failed=site.submit("run_42.sh"),
        killed=site.submit("run_long.sh"),
    )
    for panda_id in (jobs.finished, jobs.failed, jobs.killed):
        site.await_state(panda_id, "activated", seconds=60.0)
    for number in range(3):
        site.start_pilot(f"pilot{number}")
    site.await_state(jobs.killed, "running", seconds=FINISH_SECONDS)
    site.kill_from_the_page(jobs.killed, reason=WHY)
    site.await_state(jobs.finished, seconds=FINISH_SECONDS)
    site.await_state(jobs.by_proxy, seconds=FINISH_SECONDS)
    site.await_state(jobs.killed, seconds=KILL_SECONDS)
    site.await_state(jobs.failed, seconds=FAIL_SECONDS)
    return jobs
