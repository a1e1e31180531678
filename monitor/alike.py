"""The same error elsewhere: whether a failure is the job's, the site's or everybody's."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brokerage.models import Site
from jobs.models import AnyJob
from jobs.states import JobState
from monitor.jobcolumns import Error, errors_of
from monitor.rows import jobs_url

HOURS = 24
LOOKED_AT = 20_000  # of the latest failures: more are not read for a page
SITES_SHOWN = 15


@dataclass(frozen=True, kw_only=True)
class At:
    """`n` jobs failed at a site with the error."""

    site: str
    n: int
    url: str
    here: bool


@dataclass(frozen=True, kw_only=True)
class Alike:
    """One error of the job, and where else it was seen within HOURS."""

    error: Error
    total: int
    whole: bool  # False: only the latest LOOKED_AT failures were looked at
    sites: Sequence[At]
    n_sites: int
    url: str

    @property
    def words(self) -> str:
        """What it says of whose error it is."""
        if self.total <= 1:
            return "Nowhere else: it may be this job's own."
        share = max((at.n for at in self.sites), default=0) / self.total
        if self.n_sites == 1:
            return "At this site alone." if self.sites[0].here else "At one other site."
        if share > 0.8:
            return f"Mostly at {self.sites[0].site}: it may be that site's."
        return f"At {self.n_sites} sites: it may be the software's or a service's that all use."

    def as_json(self) -> dict[str, Any]:
        """The facts for programs."""
        return {
            "error": self.error.name,
            "meaning": self.error.meaning,
            "jobs": self.total,
            "all_failures_looked_at": self.whole,
            "sites": {at.site: at.n for at in self.sites},
            "n_sites": self.n_sites,
        }


def read(job: AnyJob, *, now: dt.datetime) -> list[Alike]:
    """For each error of a failed job, how many others failed with it, by site."""
    return [_alike(job, error, now) for error in errors_of(job)]


def _alike(job: AnyJob, error: Error, now: dt.datetime) -> Alike:
    component, _, code = error.name.partition(":")
    column = f"{component}_error_code"
    since = now - dt.timedelta(hours=HOURS)
    failed = AnyJob.objects.filter(state=JobState.FAILED, end_time__gte=since)
    latest = failed.order_by("-end_time").values_list("computing_site", column)[:LOOKED_AT]
    rows = list(latest)
    tally = Counter(site for site, found in rows if found == int(code))
    names = dict(Site.objects.filter(pk__in=[*filter(None, tally)]).values_list("pk", "name"))
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0] or 0))
    filters = {"state": "failed", "error": error.name, "ended": f"{HOURS}h"}
    return Alike(
        error=error,
        total=sum(tally.values()),
        whole=len(rows) < LOOKED_AT,
        n_sites=len(tally),
        url=jobs_url(**filters),
        sites=[
            At(
                site=names.get(site or 0, "no site"),
                n=n,
                url=jobs_url(**filters, site=names.get(site or 0, "-")),
                here=site == job.computing_site_id,
            )
            for site, n in ranked[:SITES_SHOWN]
        ],
    )
