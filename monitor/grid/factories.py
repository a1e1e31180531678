"""AutoPilot: pilots by factory, and what each site could use."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Sum
from django.urls import reverse

from brokerage.models import Site
from jobs import counts
from jobs.models import FactoryTally, Node
from jobs.nodes import LATELY
from jobs.states import LEASED, JobState
from monitor import columns
from monitor.grid import answers
from monitor.grid.answers import Answers
from monitor.grid.demand import Demand, demand
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column
from monitor.words import PILOT_HOURS

UNNAMED = "(unnamed)"


@dataclass(kw_only=True)
class Factory:
    """Pilots of a factory within a day, as tallied."""

    name: str
    pilots: int = 0
    lately: int = 0
    idle: int = 0
    calls: int = 0
    jobs: int = 0
    latest: dt.datetime | None = None
    at: list[str] = field(default_factory=list)

    sites = property(lambda self: len(self.at))
    where = property(
        lambda self: ", ".join(sorted(self.at)[:8]) + (", …" if self.sites > 8 else "")
    )

    @property
    def idle_pct(self) -> float | None:
        """Pilots that never had a job, of all."""
        return 100 * self.idle / self.pilots if self.pilots else None

    @property
    def jobs_per_pilot(self) -> float | None:
        """Jobs that a pilot was given in its life."""
        return round(self.jobs / self.pilots, 2) if self.pilots else None

    @property
    def url(self) -> str:
        """Its pilots."""
        if self.name == UNNAMED:
            return ""
        return f"{reverse('monitor:pilots')}?{urlencode({'factory': self.name})}"


class FactorySheet(Sheet):
    """Factories."""

    name = columns.link(
        "Factory", "as its pilots name it; the pilots", url=lambda record: record.url
    )
    pilots = columns.number("Pilots (24 h)", "that called within 24 hours")
    lately = columns.number(f"Pilots ({PILOT_HOURS} h)", f"that called within {PILOT_HOURS} hours")
    calls = columns.number("Calls", "requests for work in the life of these pilots")
    jobs = columns.number("Jobs", "that they were given")
    jobs_per_pilot = column("Jobs / pilot", "jobs per pilot of 24 hours", look="n")
    idle = columns.number("Without a job", "pilots of 24 hours that never had one")
    idle_pct = columns.percent("No job %", "of the pilots of 24 hours")
    sites = columns.number("Sites", "that they called from")
    where = column("At", "the sites", look="wrap")
    latest = columns.time("Latest (UTC)", "last call")

    class Meta(Sheet.Meta):
        empty_text = "No pilot has called within 24 hours. See /rest/v1/ for how pilots do."


def factories() -> list[Factory]:
    """All that called within a day, the largest first."""
    found: dict[str, Factory] = {}
    names = dict(Site.objects.values_list("pk", "name"))
    for row in FactoryTally.objects.all():
        name = row.factory or UNNAMED
        factory = found.setdefault(name, Factory(name=name))
        for number in ("pilots", "lately", "idle", "calls", "jobs"):
            setattr(factory, number, getattr(factory, number) + getattr(row, number))
        factory.latest = max(filter(None, [factory.latest, row.latest]))
        factory.at.append(names.get(row.site_id, "?"))
    return sorted(found.values(), key=lambda factory: (-factory.pilots, factory.name))


@dataclass(frozen=True, kw_only=True)
class SiteDemand:
    """What waits at a site, who asks there, and how many more pilots would find a job."""

    site: Site
    activated: int
    held: int
    pilots: int
    answers: Answers
    demand: Demand

    name = property(lambda self: self.site.name)
    cloud = property(lambda self: self.site.cloud.name)
    status = property(lambda self: self.site.status)
    slots = property(lambda self: self.site.slots)
    cap = property(lambda self: self.site.job_cap or None)
    wanted = property(lambda self: self.demand.wanted)
    limit = property(lambda self: self.demand.limit)
    handed = property(lambda self: self.answers.jobs)
    refused = property(lambda self: self.answers.refused)
    no_job_pct = property(lambda self: self.answers.no_job_pct)

    @property
    def calls(self) -> str:
        """What asks for attention, in words."""
        if self.activated and not self.pilots and self.demand.wanted:
            return "jobs wait, no pilot calls"
        if not self.activated and self.refused:
            return "pilots call for nothing"
        return ""


class DemandSheet(Sheet):
    """Sites by what they could use."""

    name = columns.link(
        "Site", "the site's page", url=lambda record: reverse("monitor:site", args=[record.name])
    )
    cloud = column("Cloud", "of the site")
    status = column("Status", "of the site", kind=columns.WordColumn, start="site-")
    wanted = columns.number("Pilots wanted", "more of them would find a job at once")
    limit = column("Limited by", "what is used up first: jobs, slots, the cap, or the status")
    activated = columns.number(
        "Activated",
        "jobs that wait for a pilot",
        url=lambda record: jobs_url(site=record.name, state="activated"),
    )
    held = columns.number("With pilots", "jobs sent, starting or running")
    slots = columns.number("Slots", "that the site has")
    cap = column("Cap", "jobs that pilots may hold at once; empty: no limit", look="n")
    pilots = columns.number(
        f"Pilots ({PILOT_HOURS} h)",
        f"that called within {PILOT_HOURS} hours",
        url=lambda record: f"{reverse('monitor:pilots')}?{urlencode({'site': record.name})}",
    )
    handed = columns.number(f"Jobs ({PILOT_HOURS} h)", "handed out to them")
    refused = columns.number(f"No job ({PILOT_HOURS} h)", "answers without a job")
    no_job_pct = columns.percent("No job %", "of the answers")
    calls = column("Look at", "what does not fit together")

    class Meta(Sheet.Meta):
        empty_text = "There is no site yet: make one in the admin."


def demands(*, now: dt.datetime) -> Sequence[SiteDemand]:
    """All sites, those that want most first."""
    states: dict[int, Counter[str]] = defaultdict(Counter)
    for count in counts.read(ended_since=now + dt.timedelta(hours=1)):
        states[count.site_id][count.state] += count.n
    answered = answers.by_site(now=now, hours=PILOT_HOURS)
    pilots = pilots_of_late(now)
    rows = [
        _site(site, states[site.pk], pilots.get(site.pk, 0), answered.get(site.pk))
        for site in Site.objects.select_related("cloud")
    ]
    return sorted(rows, key=lambda row: (-row.wanted, -row.activated, row.name))


def pilots_of_late(now: dt.datetime) -> dict[int, int]:
    """Pilots within PILOT_HOURS, by site, as the dashboard has them."""
    seen = Node.objects.filter(last_claim__gte=now - LATELY).order_by().values_list("site_id")
    return dict(seen.annotate(n=Sum("pilots")))


def _site(site: Site, states: Counter[str], pilots: int, answered: Answers | None) -> SiteDemand:
    held = sum(states[state] for state in LEASED)
    activated = states[JobState.ACTIVATED]
    return SiteDemand(
        site=site,
        activated=activated,
        held=held,
        pilots=pilots,
        answers=answered or Answers(by_outcome={}),
        demand=demand(
            activated=activated,
            held=held,
            slots=site.slots,
            cap=site.job_cap,
            status=site.status,
        ),
    )
