"""The job list: which jobs, in which order, from where on. HTML, JSON and CSV share it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict

from jobs.api.listing import LIMIT_MAX, JobFilter, summary
from jobs.errors import meaning
from jobs.models import AnyJob
from jobs.pulse import overlaid
from monitor import counted
from monitor.jobcolumns import COLUMNS, DEFAULT_COLUMNS
from monitor.jobfilters import FILTERS, condition
from monitor.keyset import DEFAULT_SORT, Sort
from monitor.params import Params
from pandasite.base.errors import NotThere
from pandasite.base.params import refuse
from pandasite.base.snapshot import in_time

KNOWN = (*FILTERS, "sort", "columns", "before", "limit", "format")
FORMATS = ("html", "json", "csv")
COUNTED = 10_000  # more are not counted one by one
COUNT_MS = 60  # and no longer than this
DEFAULT_LIMIT = JobFilter().limit


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A checked query string."""

    filters: Mapping[str, str]  # those that were given, as given
    which: Q
    sort: Sort
    before: str = ""
    format: str = "html"
    limit: int = DEFAULT_LIMIT
    columns: tuple[str, ...] = DEFAULT_COLUMNS

    def query(self, **changes: str) -> str:
        """The query string with these changes; an empty value leaves a name out."""
        merged = {**self.filters, **self.shape(), **changes}
        return urlencode({name: value for name, value in merged.items() if value})

    def shape(self) -> dict[str, str]:
        """Order, columns and length of a page, where they are not the usual ones."""
        sort = ("-" if self.sort.descending else "") + self.sort.name
        return {
            "sort": "" if sort == DEFAULT_SORT else sort,
            "columns": "" if self.columns == DEFAULT_COLUMNS else ",".join(self.columns),
            "limit": "" if self.limit == DEFAULT_LIMIT else str(self.limit),
        }

    def matching(self) -> QuerySet[AnyJob]:
        """All jobs that pass the filters, in no order."""
        return AnyJob.objects.filter(self.which).order_by()


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A page of jobs; `before` continues. There are `total` jobs or, if not `exact`, more."""

    jobs: list[AnyJob]
    total: int
    exact: bool
    before: str | None

    def as_json(self) -> dict[str, Any]:
        """The page for programs."""
        return {
            "jobs": [job_facts(job) for job in self.jobs],
            "count": {"n": self.total, "exact": self.exact},
            "before": self.before,
        }


def parse(given: QueryDict, *, now: dt.datetime) -> Wanted:
    """Check a query string; BadInput names the parameter, its value and the range."""
    params = Params(given, known=KNOWN)
    return Wanted(
        filters={name: params.values[name] for name in FILTERS if name in params.values},
        which=condition(params, now=now),
        sort=Sort.parse(params.text("sort") or DEFAULT_SORT),
        before=params.text("before"),
        format=params.choice("format", FORMATS, default="html"),
        limit=params.number("limit", low=1, high=LIMIT_MAX) or DEFAULT_LIMIT,
        columns=_columns(params),
    )


def _columns(params: Params) -> tuple[str, ...]:
    """The columns to show, in the order in which they are named."""
    text = params.text("columns", longest=1000)
    if not text:
        return DEFAULT_COLUMNS
    names = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in COLUMNS]:
        words = f"some of {', '.join(COLUMNS)}"
        raise refuse("columns", unknown[0], words, code="unknown_column", values=[*COLUMNS])
    return tuple(names)


def read(wanted: Wanted, *, now: dt.datetime) -> Listing:
    """The page; NotThere when a page behind the last one is asked for."""
    matching = wanted.matching()
    page = matching.filter(wanted.sort.beyond(wanted.before)) if wanted.before else matching
    # Parameters may be 64 KB long, and no list shows them.
    related = ("cloud", "computing_site", "vo", "task", "destination_se")
    found = page.select_related(*related).defer("job_parameters")
    jobs = list(found.order_by(*wanted.sort.order_by())[: wanted.limit + 1])
    if wanted.before and not jobs:
        raise NotThere(f"the list has no jobs behind '{wanted.before}': that was its end")
    shown = jobs[: wanted.limit]
    more = len(jobs) > wanted.limit
    total, exact = _total(wanted, len(shown), now) if wanted.before or more else (len(shown), True)
    # The cursor is of the rows as they are sorted: made before they are brought up to date.
    before = wanted.sort.cursor(shown[-1]) if more else None
    return Listing(jobs=overlaid(shown), total=total, exact=exact, before=before)


def _total(wanted: Wanted, shown: int, now: dt.datetime) -> tuple[int, bool]:
    """How many jobs pass the filters, and whether it is all of them.

    Known where `jobs.counts` can tell; else counted up to COUNTED and for COUNT_MS.
    """
    if (known := counted.total(wanted.filters, now=now)) is not None:
        return known, True
    n = in_time(wanted.matching()[: COUNTED + 1].count, ms=COUNT_MS)
    return (shown, False) if n is None else (min(n, COUNTED), n <= COUNTED)


def job_facts(job: AnyJob) -> dict[str, Any]:
    """A job's facts with the meaning of each error."""
    facts = summary(job)
    for error in facts["errors"]:
        error["meaning"] = meaning(error["component"], error["code"])
    return facts
