"""Three jobs, three pilots: one job finishes, one fails, one is killed from the web page."""

from __future__ import annotations

from dataclasses import dataclass

from tests.pilots.site import PilotSite

OUTPUT = "sum.txt"
WHY = "it takes too long"
# The pilot waits two minutes before it tells of a failure, and half of one after a kill.
FINISH_SECONDS, KILL_SECONDS, FAIL_SECONDS = 150.0, 120.0, 300.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The PandaIDs of the jobs, which are final."""

    site: PilotSite
    finished: int
    failed: int
    killed: int


def run_jobs(site: PilotSite) -> Ended:
    """Run them side by side, until each is final."""
    site.announce()
    jobs = Ended(
        site=site,
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
    site.await_state(jobs.killed, seconds=KILL_SECONDS)
    site.await_state(jobs.failed, seconds=FAIL_SECONDS)
    return jobs
