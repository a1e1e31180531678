"""Messages of the latest failures, put together by what they say without names and numbers.

Only so many failures are read, by the index of ends, and the page says how many: what clusters are
made of is text, of which no sums can be kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Func, Q, QuerySet, TextField
from django.utils.html import format_html

from jobs.errors import meaning
from jobs.models import AnyJob
from jobs.states import JobState
from monitor.errors.normal import normalise
from monitor.errors.scope import NO_CODE, Scope
from monitor.sheets import Sheet, column
from monitor.templatetags.monitor import utc
from pandasite.base.errors import NotThere

READ = 5000  # of the latest failures of the window
NAMED = 3  # sites and nodes named in a row
SAMPLES = 5
# The first of these that a job carries is the error it is counted under: jobs/sql/ends.sql.
FIRST = (
    "trans", "exe", "ddm", "pilot", "job_dispatcher", "brokerage", "task_buffer", "sup",
)  # fmt: skip
_FACTS = (
    "panda_id", "end_time", "computing_site_id", "node", "prod_user_id", "processing_type",
    "transformation", "cpu_consumption_time",
)  # fmt: skip
_COLUMNS = (*_FACTS, *(f"{c}_error_{what}" for c in FIRST for what in ("code", "diag")))


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failed job with the error that it is counted under."""

    panda_id: int
    at: dt.datetime
    site: str
    node: str
    user: str
    workflow: str
    cpu_s: int
    component: str
    code: int
    message: str

    @property
    def error(self) -> str:
        """As filters take it."""
        return NO_CODE if self.component == NO_CODE else f"{self.component}:{self.code}"

    @property
    def key(self) -> str:
        """The same for all that say the same; fit for an address."""
        text = f"{self.error}\n{normalise(self.message)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Failures that say the same, the latest first."""

    key: str
    failures: Sequence[Failure]

    @property
    def first(self) -> Failure:
        return self.failures[0]

    @property
    def error(self) -> str:
        return self.first.error

    @property
    def meaning(self) -> str:
        if self.error == NO_CODE:
            return "failed, and nobody said why"
        return meaning(self.first.component, self.first.code)

    @property
    def pattern(self) -> str:
        """What they say; what the code means where they say nothing."""
        return normalise(self.first.message) or f"({self.meaning})"

    @property
    def count(self) -> int:
        return len(self.failures)

    @property
    def latest(self) -> dt.datetime:
        return self.first.at

    @property
    def cpu_hours(self) -> float:
        return round(sum(f.cpu_s for f in self.failures) / 3600, 1)

    @property
    def samples(self) -> list[str]:
        """Some messages as they are, each once."""
        return list(dict.fromkeys(f.message for f in self.failures if f.message))[:SAMPLES]

    @property
    def sites(self) -> list[tuple[str, int]]:
        """Where, most first."""
        return self.by("site")

    def by(self, name: str) -> list[tuple[str, int]]:
        """How many by a fact of the failures, most first."""
        found = Counter(getattr(failure, name) for failure in self.failures)
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def panda_ids(self) -> list[int]:
        return [failure.panda_id for failure in self.failures]

    def as_json(self) -> dict[str, Any]:
        """The cluster with its jobs."""
        return {
            "key": self.key,
            "error": self.error,
            "meaning": self.meaning,
            "pattern": self.pattern,
            "count": self.count,
            "cpu_hours": self.cpu_hours,
            "latest": self.latest,
            **{f"by_{name}": dict(self.by(name)) for name in ("site", "node", "user", "workflow")},
            "samples": self.samples,
            "jobs": self.panda_ids,
        }


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """All clusters of the failures that were read, most first."""

    clusters: Sequence[Cluster]
    read: int
    oldest: dt.datetime | None  # of those read, when there are more

    @property
    def complete(self) -> bool:
        return self.oldest is None

    def as_json(self) -> dict[str, Any]:
        """How much they are made of."""
        return {"failures_read": self.read, "complete": self.complete, "oldest_read": self.oldest}


class ClusterSheet(Sheet):
    """A row for each cluster; the page makes the link to it."""

    count = column("Jobs", "of the failures that were read", look="n")
    error = column("Error", "the error that these jobs are counted under")
    pattern = column("Message", "what they say; <n>, <path> and the like stand for what differs",
                     look="wrap")  # fmt: skip
    sites = column("Sites", "where, most first", order_by=("count",), look="wrap")
    nodes = column("Nodes", "distinct worker nodes", look="n", accessor="nodes")
    cpu_hours = column("CPU-hrs", "CPU time of these jobs, lost", look="n")
    latest = column("Latest", "when the latest of them ended")

    class Meta(Sheet.Meta):
        attrs = {"class": "plain clusters", "aria-label": "Messages"}
        empty_text = "No failed job says anything here. Take a filter away, or a longer window."

    def render_error(self, record: Row) -> str:
        return format_html('<code title="{}">{}</code>', record.meaning, record.error)

    def render_pattern(self, record: Row) -> str:
        return format_html('<a href="{}">{}</a>', record.url, record.pattern)

    def render_sites(self, record: Row) -> str:
        return record.sites

    def render_latest(self, record: Row) -> str:
        return utc(record.latest)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cluster as the list shows it."""

    count: int
    error: str
    meaning: str
    pattern: str
    sites: str
    nodes: int
    cpu_hours: float
    latest: dt.datetime
    url: str


def row(cluster: Cluster, scope: Scope) -> Row:
    """The row of a cluster, which leads to its page."""
    named = [f"{site or 'no site'} {n}" for site, n in cluster.sites[:NAMED]]
    more = len(cluster.sites) - NAMED
    return Row(
        count=cluster.count,
        error=cluster.error,
        meaning=cluster.meaning,
        pattern=cluster.pattern,
        sites=", ".join(named) + (f" and {more} more" if more > 0 else ""),
        nodes=len(cluster.by("node")),
        cpu_hours=cluster.cpu_hours,
        latest=cluster.latest,
        url=scope.url("monitor:errors_cluster", cluster.key),
    )


def read(scope: Scope, *, at: tuple[int, str] | None = None) -> Clusters:
    """The clusters of the latest READ failures of the scope, or of a node: its site and name."""
    latest = _latest(scope)
    if at is not None:
        latest = latest.filter(computing_site=at[0], node=at[1])
    rows = list(latest[: READ + 1])
    failures = [_failure(dict(zip(_COLUMNS, row, strict=True)), scope) for row in rows[:READ]]
    return Clusters(
        clusters=cluster(failures),
        read=len(failures),
        oldest=failures[-1].at if len(rows) > READ else None,
    )


def one(scope: Scope, key: str) -> Cluster:
    """The cluster with this key; NotThere when no failure that was read is of it."""
    found = next((c for c in read(scope).clusters if c.key == key), None)
    if found is None:
        raise NotThere("none of the latest failures of this window says that (any more)")
    return found


def cluster(failures: Iterable[Failure]) -> list[Cluster]:
    """Put together what says the same; most first, then the latest."""
    found: defaultdict[str, list[Failure]] = defaultdict(list)
    for failure in failures:
        found[failure.key].append(failure)
    made = [Cluster(key=key, failures=some) for key, some in found.items()]
    return sorted(made, key=lambda c: (-c.count, -c.latest.timestamp(), c.key))


def _latest(scope: Scope) -> QuerySet[AnyJob, tuple[Any, ...]]:
    failed = AnyJob.objects.filter(state=JobState.FAILED, end_time__gte=scope.span.since)
    if scope.span.until is not None:
        failed = failed.filter(end_time__lt=scope.span.until)
    if scope.labels is not None:
        failed = failed.filter(prod_source_label__in=scope.labels)
    if scope.site_ids is not None:
        failed = failed.filter(_at(scope.site_ids))
    if scope.domain is not None:
        failed = failed.alias(domain=DOMAIN).filter(domain=scope.domain)
    return failed.filter(_with(scope.error)).order_by("-end_time").values_list(*_COLUMNS)


DOMAIN = Func("node", function="jobs_domain", output_field=TextField())


def _at(site_ids: Sequence[int]) -> Q:
    nowhere = Q(computing_site__isnull=True) if 0 in site_ids else Q()
    return Q(computing_site__in=[pk for pk in site_ids if pk]) | nowhere


def _with(error: tuple[str, int | None] | None) -> Q:
    if error is None:
        return Q()
    component, code = error
    if component == NO_CODE:
        return Q(**{f"{name}_error_code": 0 for name in FIRST})
    column = f"{component}_error_code"
    return ~Q(**{column: 0}) if code is None else Q(**{column: code})


def _failure(facts: dict[str, Any], scope: Scope) -> Failure:
    """By the error that was asked for, else by its first one."""
    components = FIRST if scope.error is None else (scope.error[0],)
    component = next((c for c in components if facts.get(f"{c}_error_code")), NO_CODE)
    return Failure(
        panda_id=facts["panda_id"],
        at=facts["end_time"],
        site=scope.site_name(facts["computing_site_id"] or 0),
        node=facts["node"],
        user=facts["prod_user_id"],
        workflow=f"{facts['processing_type'] or 'no type'} / {facts['transformation']}",
        cpu_s=facts["cpu_consumption_time"],
        component=component,
        code=facts.get(f"{component}_error_code", 0),
        message=facts.get(f"{component}_error_diag", ""),
    )
