"""Which plot of what: the query string of the plots, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from brokerage.models import Cloud, Site
from jobs.states import LIVE, JobState
from monitor.params import Params
from pandasite.base.params import refuse

KNOWN = ("what", "hours", "cloud", "site", "state", "by", "format")
LONGEST = 10 * 366 * 24
DEFAULT_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A plot: how plots.js draws it, and what it shows. by: it can be drawn place by place."""

    key: str
    title: str
    help: str
    draw: str
    by: bool = True


KINDS = {
    kind.key: kind
    for kind in (
        Kind(
            key="states",
            title="Jobs by state",
            help="Live jobs, looked at every 5 minutes; means where buckets are longer.",
            draw="stacked",
        ),
        Kind(
            key="ended",
            title="Jobs that ended",
            help="Jobs per hour by how they ended.",
            draw="stacked",
        ),
        Kind(
            key="failures",
            title="Failure rate",
            help="Failed of all that finished or failed, and the part that the payload caused.",
            draw="lines",
        ),
        Kind(
            key="dispatch",
            title="Dispatch rate",
            help="Jobs handed to pilots per hour, and calls of pilots that got none.",
            draw="lines",
        ),
        Kind(
            key="efficiency",
            title="CPU efficiency",
            help="CPU time of ended jobs over their wall time on all of their cores.",
            draw="lines",
        ),
        Kind(
            key="bytes",
            title="Data moved",
            help="GB (10^9 bytes) per hour that transfers brought to the storage of the place.",
            draw="lines",
        ),
        Kind(
            key="queue",
            title="Time in queues",
            help="Ended jobs by the time from their birth to the start of their last attempt.",
            draw="bars",
            by=False,
        ),
        Kind(
            key="wall",
            title="Wall time",
            help="Ended jobs by the time from the start of their last attempt to their end.",
            draw="bars",
            by=False,
        ),
        Kind(
            key="dwell",
            title="Time in each state",
            help="Half (p50) and nine tenths (p90) of the stays in a state were not longer.",
            draw="bars",
            by=False,
        ),
    )
}
BY = ("cloud", "site")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A checked query: of what, over which hours back from now, where, which states, by what."""

    what: str
    hours: int
    cloud: Cloud | None
    site: Site | None
    states: tuple[str, ...]
    by: str
    given: Mapping[str, str]

    def query(self, **changes: str) -> str:
        """The query string with these changes; an empty value leaves a name out."""
        merged = {**self.given, **changes}
        return urlencode({name: value for name, value in merged.items() if value})

    @property
    def place(self) -> str:
        """In words."""
        if self.site:
            return self.site.name
        return f"cloud {self.cloud.name}" if self.cloud else "the whole grid"

    @property
    def cloud_id(self) -> int:
        return self.cloud.pk if self.cloud and not self.site else 0

    @property
    def site_id(self) -> int:
        return self.site.pk if self.site else 0


def parse(params: Params) -> Choice:
    """BadInput names the parameter, its value and the range."""
    site, cloud = _site(params.text("site")), _cloud(params.text("cloud"))
    if site and cloud and site.cloud_id != cloud.pk:
        raise refuse("site", site.name, f"a site of cloud {cloud.name}")
    by = params.choice("by", BY)
    if by and (site or (by == "cloud" and cloud)):
        raise refuse("by", by, "left out where the place is no larger than that")
    hours = params.number("hours", low=1, high=LONGEST) or DEFAULT_HOURS
    return Choice(
        what=params.choice("what", KINDS, default="states"),
        hours=hours,
        cloud=cloud,
        site=site,
        states=_states(params.text("state")),
        by=by,
        given={k: v for k, v in params.values.items() if k != "format"},
    )


def _site(name: str) -> Site | None:
    if not name:
        return None
    if found := Site.objects.select_related("cloud").filter(name=name).first():
        return found
    raise refuse("site", name, "the name of a site", code="unknown_site")


def _cloud(name: str) -> Cloud | None:
    if not name:
        return None
    names = list(Cloud.objects.order_by("name"))
    if found := next((cloud for cloud in names if cloud.name == name), None):
        return found
    words = f"one of {', '.join(cloud.name for cloud in names)}" if names else "left out: none is"
    raise refuse("cloud", name, words, code="unknown_cloud")


def _states(text: str) -> tuple[str, ...]:
    """States in the order of a job's life, all of them for none."""
    words = [state.value for state in LIVE]
    given = text.split(",") if text else words
    for word in given:
        if word not in words:
            ends = "; those that ended are `what=ended`" if word in list(JobState) else ""
            raise refuse("state", word, f"some of {', '.join(words)}{ends}", code="unknown_state")
    return tuple(word for word in words if word in given)
