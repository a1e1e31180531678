"""What needs attention, in words: each item with its reason and the next step. Pure.

`monitor.checklist` puts these checks and some more into the list that a shifter goes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse

from brokerage.models import Cloud, Site
from jobs.states import JobState
from monitor import menu
from monitor.queries import Facts, TopError
from monitor.rows import Row, jobs_url
from monitor.servers import Lamp, Sweep
from monitor.space import space_line
from monitor.words import PILOT_HOURS, STALE_HOURS, ago, plural

SHOWN = 3  # items of one kind; the rest is summed up
NAMED = 12  # of those that are summed up

NEXT_FOR_STALE = {
    JobState.ACTIVATED: "look whether pilots of these sites ask for such jobs",
    JobState.RUNNING: "look whether their pilots are alive; the watchdog re-queues lost ones",
    JobState.TRANSFERRING: "look at the transfers of their outputs on the job pages",
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to look at: what, why, what to do next, and where that can be seen."""

    level: str  # alert: work is not done; warning: somebody should look
    text: str
    reason: str
    step: str
    url: str = ""
    subject: str = ""  # the site, cloud or sweep that it is about

    def as_json(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


def few(items: Iterable[Item], words: str) -> list[Item]:
    """All items, or SHOWN of them and one that names the others."""
    every = list(items)
    others = every[SHOWN:]
    if len(others) < 2:
        return every
    names = ", ".join(item.subject for item in others[:NAMED])
    rest = Item(
        level=others[0].level,
        text=f"and {len(others)} more {words}",
        reason=names + (", ..." if len(others) > NAMED else ""),
        step=others[0].step,
    )
    return [*every[:SHOWN], rest]


def servers(lamps: Iterable[Lamp]) -> Iterator[Item]:
    """Processes that give no sign of life, and a broker that does not answer."""
    for lamp in lamps:
        if lamp.state != "ok":
            yield Item(
                level="alert" if lamp.state == "failed" else "warning",
                subject=lamp.name,
                text=f"{lamp.name}: {lamp.details}",
                reason=lamp.why,
                step=lamp.step,
                url=menu.address("monitor:servers"),
            )


def sweeps_on_time(sweeps: Sequence[Sweep], facts: Facts) -> Iterator[Item]:
    """Sweeps that are late or failed."""
    late = [sweep for sweep in sweeps if sweep.state == "late"]
    if late:
        names = ", ".join(sweep.name for sweep in late)
        yield Item(
            level="alert",
            text=f"{plural(len(late), 'sweep')} late: {names}",
            reason="; ".join(_lateness(sweep, facts) for sweep in late[:3]),
            step="see that the Celery worker and its beat run; until then nothing moves on",
            url=menu.address("monitor:servers"),
        )
    for sweep in sweeps:
        if sweep.state == "failed":
            yield Item(
                level="alert",
                subject=sweep.name,
                text=f"sweep {sweep.name} failed",
                reason=f"{_lateness(sweep, facts)}: {sweep.error[:300]}",
                step="read the worker's log; the sweep tries again by itself",
                url=menu.address("monitor:servers"),
            )


def _lateness(sweep: Sweep, facts: Facts) -> str:
    if sweep.good_at is None:
        return f"{sweep.short} has never gone well"
    age = (facts.now - sweep.good_at).total_seconds()
    return f"{sweep.short} last went well {ago(age)} ago, due every {ago(sweep.every)}"


def clouds_shut(clouds: Sequence[Cloud]) -> Iterator[Item]:
    """Clouds that take no production."""
    for cloud in clouds:
        if cloud.status != Cloud.Status.ONLINE:
            author = f"{cloud.status_by}: " if cloud.status_by else ""
            yield Item(
                level="warning",
                text=f"cloud {cloud.name} is {cloud.status}",
                reason=f"{author}{cloud.status_reason or 'no reason given'};"
                " its sites get no production jobs",
                step="set it online in the admin, with a reason, when it may work again",
                url=f"#cloud-{cloud.name}",
                subject=cloud.name,
            )


def sites_shut(sites: Sequence[Site], rows: Mapping[tuple[int, int], Row]) -> Iterator[Item]:
    """Sites that are not online."""
    for site in sites:
        if site.status == Site.Status.ONLINE:
            continue
        row = rows[site.cloud_id, site.pk]
        queued = row.states[JobState.ASSIGNED] + row.states[JobState.ACTIVATED]
        author = f"{site.status_by}: " if site.status_by else ""
        waits = f"; {plural(queued, 'job')} queued there" if queued else ""
        yield Item(
            level="warning",
            subject=site.name,
            text=f"{site.name} is {site.status}",
            reason=f"{author}{site.status_reason or 'no reason given'}{waits}",
            step="when that is mended, set it online in the admin with a reason",
            url=reverse("monitor:site", args=[site.name]),
        )


def failing(
    facts: Facts, rows: Mapping[tuple[int, int], Row], tops: Mapping[int, TopError]
) -> Iterator[Item]:
    """Sites that fail a lot."""
    worst = sorted(rows.items(), key=lambda pair: -pair[1].states[JobState.FAILED])
    sites = {site.pk: site for site in facts.sites}
    for (_cloud, site_id), row in worst:
        if not row.fails_a_lot or site_id not in sites:
            continue
        failed = row.states[JobState.FAILED]
        top = tops.get(site_id)
        filters = {"site": row.name, "state": "failed", "ended": f"{facts.hours}h"}
        yield Item(
            level="alert",
            subject=row.name,
            text=f"{row.name} fails {row.tot} % ({failed} of {row.ended} jobs)",
            reason=f"most often {top.name} ({top.n}): {top.meaning}" if top else "no error code",
            step="open the failed jobs and read the error and the end of the log",
            url=jobs_url(**filters, kind=facts.kind, error=top.name if top else ""),
        )


def unplaced(facts: Facts) -> Iterator[Item]:
    """Jobs that brokerage found no site for."""
    for group in facts.unplaced[:3]:
        yield Item(
            level="warning",
            text=f"{plural(group.n, 'job')} without a site",
            reason=group.reason,
            step="a job's page tells for each site what it lacks; change the site or the job",
            url=jobs_url(state=JobState.DEFINED, site="-", kind=facts.kind),
        )
    if others := sum(group.n for group in facts.unplaced[3:]):
        yield Item(
            level="warning",
            text=f"{plural(others, 'more job')} without a site",
            reason="for other reasons, which their pages tell",
            step="open the defined jobs",
            url=jobs_url(state=JobState.DEFINED, kind=facts.kind),
        )


def unserved(facts: Facts, rows: Mapping[tuple[int, int], Row]) -> Iterator[Item]:
    """Sites with work and no pilots."""
    for site in facts.sites:
        row = rows[site.cloud_id, site.pk]
        waiting = row.states[JobState.ACTIVATED]
        if waiting and not row.pilots and site.status != Site.Status.OFFLINE:
            yield Item(
                level="warning",
                subject=site.name,
                text=f"{site.name} has {plural(waiting, 'activated job')} but no pilots",
                reason=f"no pilot has called within {PILOT_HOURS} hours",
                step="see that its pilot factory runs and its token is valid",
                url=reverse("monitor:site", args=[site.name]),
            )


def left_alone(facts: Facts, stale: Iterable[tuple[str, int]]) -> Iterator[Item]:
    """Jobs that nothing has touched for hours."""
    for state, n in stale:
        if not n:
            continue
        hours = STALE_HOURS[JobState(state)]
        yield Item(
            level="warning",
            text=f"{plural(n, f'{state} job')} not updated for more than {hours} hours",
            reason="nothing has changed them, and no heartbeat came",
            step=NEXT_FOR_STALE[JobState(state)],
            url=jobs_url(state=state, idle=f"{hours}h", kind=facts.kind),
        )


def short_of_space(facts: Facts) -> Iterator[Item]:
    """Sites where brokerage sends nothing for want of space."""
    for link in facts.storages:
        line = space_line(link, now=facts.now)
        if line.low and link.role == link.Role.LOCAL:
            yield Item(
                level="warning",
                subject=line.site,
                text=f"{line.site} has {line.text} GB left",
                reason=f"brokerage wants {line.threshold_gb:.0f} GB free at {line.storage}",
                step="delete or move data, or lower the threshold in the admin",
                url=reverse("monitor:site", args=[line.site]),
            )
