"""Why a job is not running: each thing that must be so, whether it is, and what would mend it.

For a job that waits for a site that is what brokerage would say now; for one that waits for its
input, each file; for one that waits for a pilot, the site, its pilots and the queue before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q

from brokerage.models import BannedNode, Downtime, Site
from brokerage.policy import Choice
from jobs import assign, counts
from jobs.applicants import applicant, needs_of
from jobs.models import AnyJob, AnyJobFile, Job, Pilot
from jobs.nodes import LATELY
from jobs.shares import limits
from jobs.states import LEASED, JobState
from monitor.checks import FIXES, Called, Check, nearest, of_answers, of_pilots
from monitor.jobpage import files_of
from monitor.words import PILOT_HOURS, ago, plural

PILOTS_READ = 2000  # the latest of a site
AHEAD = 10_000  # jobs in front of this one that are counted


@dataclass(frozen=True, kw_only=True)
class Why:
    """The answer in one sentence, and what it rests on."""

    headline: str
    checks: Sequence[Check] = field(default_factory=tuple)
    choice: Choice | None = None

    def as_json(self) -> dict[str, Any]:
        """The facts for programs."""
        return {
            "headline": self.headline,
            "checks": [vars(check) for check in self.checks],
            "brokerage_now": self.choice.as_json() if self.choice else None,
        }


def read(job: AnyJob, *, now: dt.datetime) -> Why:
    """Why this job does not run now."""
    answer = ANSWERS.get(JobState(job.state))
    if answer is not None:
        return answer(job, now)
    if job.state in LEASED:
        return Why(headline=f"A pilot has it: it is {job.state}.")
    return Why(headline=f"It waits for nothing any more: it is {job.state}.")


# -- it has no site --------------------------------------------------------------------------------


def _defined(job: AnyJob, now: dt.datetime) -> Why:
    if hold := limits.holds(job, now=now):
        return Why(headline=hold, checks=_limits(job, now))
    choice = assign.explain_job(job, now=now)
    if choice.site:
        words = f"Brokerage would send it to {choice.site} now: the next round may take it."
        return Why(headline=words, choice=choice)
    words = f"{choice.reason[0].upper()}{choice.reason[1:]}."
    return Why(headline=words, checks=nearest(choice), choice=choice)


# -- its input is missing --------------------------------------------------------------------------


def _waiting(job: AnyJob, _now: dt.datetime) -> Why:
    unknown = [f for f in files_of(job) if f.type == "input" and f.file_id is None]
    if not unknown:
        return Why(headline="All its input is known by now: the next sweep takes it on.")
    of = f" of dataset {unknown[0].dataset.name}" if unknown[0].dataset else ""
    return Why(
        headline=f"{plural(len(unknown), 'input file')}{of} not known anywhere yet.",
        checks=[
            Check(name=f"{f.scope}:{f.lfn}", ok=False, words="in no catalogue",
                fix="register it, or let the job that makes it finish")
            for f in unknown[:20]
        ],
    )  # fmt: skip


def _assigned(job: AnyJob, now: dt.datetime) -> Why:
    inputs = [f for f in files_of(job) if f.type == "input"]
    missing = [f for f in inputs if f.status != AnyJobFile.Status.READY]
    site = job.computing_site.name if job.computing_site else "no site"
    if not missing:
        return Why(headline="All its input is there: the next sweep activates it.")
    checks = sorted((_on_the_way(f, now) for f in missing), key=lambda check: bool(check.ok))
    failing = sum(check.ok is False for check in checks)
    trouble = f", {failing} of them in trouble" if failing else ""
    there = f"{len(inputs) - len(missing)} of {plural(len(inputs), 'input file')}"
    return Why(headline=f"{there} at {site}; {len(missing)} to come{trouble}.", checks=checks[:20])


def _on_the_way(f: AnyJobFile, now: dt.datetime) -> Check:
    name = f"{f.scope}:{f.lfn}"
    transfers = [t for t in f.file.transfers.all() if t.state != "done"] if f.file else []
    if not transfers:
        held = (
            [r.storage.name for r in f.file.replicas.all() if r.state == "available"]
            if (f.file)
            else []
        )
        where = f"it is at {', '.join(held[:3])}" if held else "no storage element has it"
        return Check(name=name, ok=bool(held) or None, words=f"no transfer yet; {where}",
            fix="" if held else "bring the file back, or kill the job")  # fmt: skip
    last = transfers[0]
    said = f"{last.state} to {last.destination.name}, attempt {last.attempts}"
    if not last.error:
        return Check(name=name, ok=True, words=said)
    wait = (last.next_try_at - now).total_seconds()
    again = f"; tried again in {ago(wait)}" if wait > 0 and last.state == "queued" else ""
    return Check(name=name, ok=False, words=f"{said}: {last.error}{again}",
        fix="see to the source and to the destination's storage")  # fmt: skip


# -- no pilot has taken it -------------------------------------------------------------------------


def _activated(job: AnyJob, now: dt.datetime) -> Why:
    site = job.computing_site
    assert site is not None  # the database promises it: job_at_a_site
    banned = set(BannedNode.objects.filter(site=site).values_list("node", flat=True))
    called = _called(site, now)
    answers = _answers(site, now)
    ahead = _ahead(job)
    checks = [
        _site(site, now),
        _cap(site, now),
        *of_pilots(job, called, banned),
        _brokerage(job, site, now),
        *of_answers(answers),
        *_limits(job, now),
        _queue(job, ahead, answers.get("job", 0)),
    ]
    wrong = [check for check in checks if check.ok is False]
    headline = f"{wrong[0].words}." if wrong else _in_turn(ahead, answers.get("job", 0))
    return Why(headline=headline[0].upper() + headline[1:], checks=checks)


def _called(site: Site, now: dt.datetime) -> list[Called]:
    lately = Pilot.objects.filter(site=site, last_contact__gte=now - LATELY)
    columns = ("node", "cpu_speed_mhz", "memory_mb", "free_disk_mb")
    latest = lately.order_by("-last_contact").values_list(*columns)[:PILOTS_READ]
    return [Called(*row) for row in latest]


def _answers(site: Site, now: dt.datetime) -> dict[str, int]:
    found = counts.answers(since=now - LATELY)
    return {outcome: n for (site_id, outcome), n in found.items() if site_id == site.pk}


def _ahead(job: AnyJob) -> int:
    """Jobs of its site that are handed out before it; at most AHEAD + 1. The index job_head."""
    first = Q(current_priority__gt=job.current_priority) | Q(
        current_priority=job.current_priority, panda_id__lt=job.pk
    )
    queue = Job.objects.filter(computing_site=job.computing_site, state=JobState.ACTIVATED)
    return queue.filter(first, current_priority__gte=job.current_priority)[: AHEAD + 1].count()


def _site(site: Site, now: dt.datetime) -> Check:
    why = f": {site.status_reason}" if site.status_reason else ""
    if site.status == Site.Status.OFFLINE:
        return Check(name="site", ok=False, words=f"{site.name} is offline{why}",
            fix="set it online once its trouble is over, or broker the job again")  # fmt: skip
    if outage := Downtime.objects.outages(now).filter(site=site).order_by("-end").first():
        return Check(name="site", ok=False, words=f"{site.name} is in downtime {outage.words}",
            fix="wait for its end, withdraw it in the admin, or broker the job again")  # fmt: skip
    return Check(name="site", ok=True, words=f"{site.name} is {site.status}")


def _cap(site: Site, now: dt.datetime) -> Check:
    if not site.job_cap:
        return Check(name="jobs at once", ok=True, words=f"{site.name} has no limit")
    held = sum(
        count.n
        for count in counts.read(ended_since=now)
        if count.site_id == site.pk and count.state in LEASED
    )
    words = f"pilots at {site.name} hold {held} of {site.job_cap} jobs that they may"
    fix = "raise the limit in the admin, or wait" if held >= site.job_cap else ""
    return Check(name="jobs at once", ok=held < site.job_cap, words=words, fix=fix)


def _brokerage(job: AnyJob, site: Site, now: dt.datetime) -> Check:
    """Whether the site's own data still say that it can take such a job."""
    asking = applicant(job)
    needs = replace(needs_of([asking]), site=site.name, cloud=None)
    choice = assign.explain(needs, files=sorted(asking.files), now=now)
    if choice.site:
        return Check(name="brokerage", ok=True, words="would still send it there")
    refusal = choice.verdicts[0] if choice.verdicts else None
    words = "; ".join([refusal.reason, *refusal.details]) if refusal else choice.reason
    fix = FIXES.get(refusal.rule, "") if refusal else ""
    return Check(name="brokerage", ok=False, fix=fix,
        words=f"brokerage would not send it there any more: {words}")  # fmt: skip


def _limits(job: AnyJob, now: dt.datetime) -> list[Check]:
    """What shares, quotas and the formula of users make of its priority."""
    found = limits.of_job(job, now=now)
    return [Check(name="priority", ok=None, words=words) for words in found]


def _queue(job: AnyJob, ahead: int, taken: int) -> Check:
    many = f"more than {AHEAD:,}" if ahead > AHEAD else f"{ahead:,}"
    rate = f"; pilots took {taken:,} there within {PILOT_HOURS} hours" if taken else ""
    words = f"{many} jobs of its site go before it (priority {job.current_priority}){rate}"
    return Check(name="queue", ok=None, words=words, fix="raise its priority" if ahead else "")


def _in_turn(ahead: int, taken: int) -> str:
    if not ahead:
        return "Nothing stands in its way: it is the next one that fits a pilot."
    if not taken:
        return f"Nothing stands in its way but {plural(ahead, 'job')} before it."
    wait = ago(ahead / taken * LATELY.total_seconds())
    return f"It waits its turn: {plural(ahead, 'job')} before it take about {wait} at this pace."


ANSWERS: dict[JobState, Callable[[AnyJob, dt.datetime], Why]] = {
    JobState.DEFINED: _defined,
    JobState.WAITING: _waiting,
    JobState.ASSIGNED: _assigned,
    JobState.ACTIVATED: _activated,
}
