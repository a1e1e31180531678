"""The job list: which jobs, in which order, from where on. HTML, JSON and CSV share it.

What the REST list filters by is parsed by the REST list's own code; this adds the filters that
people need, and sorting.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict

from brokerage.models import VO
from jobs.api.listing import JobFilter, filter_of, named, summary
from jobs.errors import meaning
from jobs.models import ERROR_COMPONENTS, AnyJob, Pulse
from jobs.pulse import overlaid
from jobs.states import FINAL, LEASED, JobState
from monitor.keyset import DEFAULT_SORT, Sort
from monitor.params import Params, Period
from monitor.words import KINDS, NONE, full_hour
from pandasite.base.errors import NotThere
from pandasite.base.params import refuse

# In the order in which the page shows them. The first ones are the REST list's.
FILTERS = (
    "state", "cloud", "site", "task", "label", "kind", "vo", "user", "node", "error", "cause",
    "ended", "created", "window", "idle",
)  # fmt: skip
KNOWN = (*FILTERS, "sort", "before", "limit", "format")
FORMATS = ("html", "json", "csv")
# As jobs.counts has it: a failure that carries an error of the payload.
PAYLOAD = ~Q(exe_error_code=0) | ~Q(trans_error_code=0)
COUNTED = 10_000  # more are not counted to the last one


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A checked query string."""

    filters: Mapping[str, str]  # those that were given, as given
    rest: JobFilter
    further: Q
    sort: Sort
    before: str
    format: str

    def query(self, **changes: str) -> str:
        """The query string with these changes; an empty value leaves a name out."""
        sort = ("-" if self.sort.descending else "") + self.sort.name
        limit = "" if self.rest.limit == DEFAULT_LIMIT else str(self.rest.limit)
        kept = {"sort": "" if sort == DEFAULT_SORT else sort, "limit": limit}
        merged = {**self.filters, **kept, **changes}
        return urlencode({name: value for name, value in merged.items() if value})


DEFAULT_LIMIT = JobFilter().limit


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A page of jobs; `total` is how many there are, at most COUNTED + 1; `before` continues."""

    jobs: list[AnyJob]
    total: int
    before: str | None

    @property
    def exact(self) -> bool:
        return self.total <= COUNTED

    def as_json(self) -> dict[str, Any]:
        """The page for programs."""
        return {
            "jobs": [job_facts(job) for job in self.jobs],
            "count": {"n": min(self.total, COUNTED), "exact": self.exact},
            "before": self.before,
        }


def parse(given: QueryDict, *, now: dt.datetime) -> Wanted:
    """Check a query string; BadInput names the parameter, its value and the range."""
    params = Params(given, known=KNOWN)
    return Wanted(
        filters={name: params.values[name] for name in FILTERS if name in params.values},
        rest=_rest(params),
        further=_further(params, now),
        sort=Sort.parse(params.text("sort") or DEFAULT_SORT),
        before=params.text("before"),
        format=params.choice("format", FORMATS, default="html"),
    )


def _rest(params: Params) -> JobFilter:
    """What the REST list understands: not our `-`."""
    rest = filter_of(params)
    texts = dict(rest.texts or {})
    for name in ("cloud", "site"):
        if texts.get(name) == NONE:
            del texts[name]
    return replace(rest, texts=texts)


def _further(params: Params, now: dt.datetime) -> Q:
    found = _none(params) & _names(params) & _errors(params) & _times(params, now)
    if params.text("task").isdigit():
        params.number("task", low=1, high=2**63 - 1)  # refuses what no task can have
    if kind := params.choice("kind", KINDS):
        found &= Q(prod_source_label__in=KINDS[kind])
    return found


def _none(params: Params) -> Q:
    found = Q()
    for name, column in (("cloud", "cloud"), ("site", "computing_site")):
        if params.text(name) == NONE:
            found &= Q(**{f"{column}__isnull": True})
    return found


def _names(params: Params) -> Q:
    columns = {"user": "prod_user_id", "node": "node"}
    given = {column: params.text(name) for name, column in columns.items() if params.text(name)}
    vo = params.text("vo")
    return Q(**given) & (named("vo", VO, vo) if vo else Q())


def _errors(params: Params) -> Q:
    """`error=pilot:1099` or `error=pilot`; `cause=trf|other`: failed by the payload or not."""
    found = Q()
    if cause := params.choice("cause", ("trf", "other")):
        found &= Q(state=JobState.FAILED) & (PAYLOAD if cause == "trf" else ~PAYLOAD)
    if error := params.text("error"):
        found &= _error(error)
    return found


def _error(text: str) -> Q:
    component, colon, code = text.partition(":")
    if component not in ERROR_COMPONENTS:
        words = f"component:code, the component one of {', '.join(ERROR_COMPONENTS)}"
        raise refuse("error", text, words, code="unknown_component", values=[*ERROR_COMPONENTS])
    column = f"{component}_error_code"
    if not colon:
        return ~Q(**{column: 0})
    digits = code.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise refuse("error", text, "component:code with a number as code", code="bad_code")
    return Q(**{column: int(code)})


def _times(params: Params, now: dt.datetime) -> Q:
    found = _within("end_time", params.period("ended", now=now))
    found &= _within("creation_time", params.period("created", now=now))
    if hours := params.hours("window"):
        since = full_hour(now - dt.timedelta(hours=hours))
        # Live jobs are those without an end; said like that, weeks before the window are skipped.
        found &= Q(end_time__isnull=True) | Q(end_time__gte=since)
    if hours := params.hours("idle"):
        cutoff = now - dt.timedelta(hours=hours)
        found &= ~Q(state__in=FINAL)
        found &= Q(state_change_time__lt=cutoff, modification_time__lt=cutoff)
        heard = Pulse.objects.filter(pk=OuterRef("pk"), heard_at__gte=cutoff)
        found &= ~Q(state__in=LEASED) | Q(~Exists(heard))
    return found


def _within(column: str, period: Period) -> Q:
    found = Q()
    if period.since:
        found &= Q(**{f"{column}__gte": period.since})
    if period.until:
        found &= Q(**{f"{column}__lt": period.until})
    return found


def read(wanted: Wanted) -> Listing:
    """The page; NotThere when a page behind the last one is asked for."""
    matching = wanted.rest.apply(AnyJob.objects.all()).filter(wanted.further)
    page = matching.filter(wanted.sort.beyond(wanted.before)) if wanted.before else matching
    limit = wanted.rest.limit
    # Parameters may be 64 KB long, and no list shows them.
    found = page.select_related("cloud", "computing_site", "vo", "task").defer("job_parameters")
    jobs = list(found.order_by(*wanted.sort.order_by())[: limit + 1])
    if wanted.before and not jobs:
        raise NotThere(f"the list has no jobs behind '{wanted.before}': that was its end")
    shown = jobs[:limit]
    whole = not wanted.before and len(jobs) <= limit
    # The cursor is of the rows as they are sorted: made before they are brought up to date.
    before = wanted.sort.cursor(shown[-1]) if len(jobs) > limit else None
    return Listing(
        jobs=overlaid(shown),
        total=len(shown) if whole else matching.order_by()[: COUNTED + 1].count(),
        before=before,
    )


def job_facts(job: AnyJob) -> dict[str, Any]:
    """A job's facts with the meaning of each error."""
    facts = summary(job)
    for error in facts["errors"]:
        error["meaning"] = meaning(error["component"], error["code"])
    return facts
