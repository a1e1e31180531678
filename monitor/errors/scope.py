"""Which failures a page is about: a window or a named period, and what it is narrowed to.

All pages of errors and nodes share these filters, so that a link keeps them from page to page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from brokerage.models import Cloud, Site
from jobs.ends import DAYS_APART, DAYS_KEPT, Span, closing, opening
from jobs.labels import LABELS
from jobs.models import ERROR_COMPONENTS
from monitor.params import Params
from monitor.rows import jobs_url
from monitor.words import KINDS, NONE
from pandasite.base.clock import midnight
from pandasite.base.params import refuse

DEFAULT_HOURS = 24
HOURS = {1: "1 h", 3: "3 h", 12: "12 h", 24: "24 h", 72: "3 d", 168: "7 d", 720: "30 d"}
LONGEST_HOURS = 24 * DAYS_KEPT
FILTERS = ("hours", "period", "kind", "label", "cloud", "site", "grid", "ce", "error")
NO_CODE = "none"  # the component of failures that carry no code


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What was asked for; `given` are the filters as they stood in the address."""

    now: dt.datetime
    given: Mapping[str, str]
    hours: int | None  # None: `period` says it
    span: Span
    labels: Collection[str] | None
    error: tuple[str, int | None] | None  # component, and a code or all of them
    sites: Mapping[int, Site]  # all there are

    @property
    def kind(self) -> str:
        return self.given.get("kind", "")

    @property
    def title(self) -> str:
        """The window in words: `last 24 hours (1.0 days)`."""
        if self.hours is None:
            return f"{self.given['period']}"
        return f"last {self.hours} hour{'s' if self.hours > 1 else ''} ({self.hours / 24:.1f} days)"

    @cached_property
    def site_ids(self) -> list[int] | None:
        """Those that the filters leave, None for all; jobs without a site are 0."""
        wanted = {
            name: self.given[name] for name in ("site", "cloud", "grid") if name in self.given
        }
        if not wanted:
            return None
        if wanted.get("site") == NONE:
            return [0]
        return [
            pk
            for pk, site in self.sites.items()
            if wanted.get("site", site.name) == site.name
            and wanted.get("cloud", site.cloud.name) == site.cloud.name
            and wanted.get("grid", site.flavour) == site.flavour
        ]

    @property
    def narrowing(self) -> dict[str, Collection[Any] | None]:
        """For `jobs.ends.errors`, but for the error."""
        return {**self.workflow_narrowing, "domain": None if self.domain is None else [self.domain]}

    @property
    def workflow_narrowing(self) -> dict[str, Collection[Any] | None]:
        """For `jobs.ends.workflows`, which know no computing element."""
        return {"label": self.labels, "site_id": self.site_ids}

    @property
    def domain(self) -> str | None:
        """Of the nodes; '' for those that have none in their name, None for all."""
        ce = self.given.get("ce")
        return "" if ce == NONE else ce

    @property
    def error_narrowing(self) -> dict[str, Collection[Any] | None]:
        """The error that was asked for, for either of them."""
        if self.error is None:
            return {}
        component, code = self.error
        return {"component": [component], "code": None if code is None else [code]}

    def site_name(self, site_id: int) -> str:
        """Its name; '' for none, and for one that is gone."""
        site = self.sites.get(site_id)
        return site.name if site else ""

    def query(self, **changes: str) -> str:
        """The filters as a query string, with these changes; '' takes one away."""
        merged = {**self.given, **changes}
        if changes.get("period"):
            merged.pop("hours", None)
        if changes.get("hours"):
            merged.pop("period", None)
        return urlencode({name: value for name, value in merged.items() if value})

    def url(self, page: str, *args: Any, **changes: str) -> str:
        """Another page with the same filters and these changes."""
        query = self.query(**changes)
        return reverse(page, args=args) + (f"?{query}" if query else "")

    def jobs_url(self, **filters: str) -> str:
        """The list of the ended jobs of this scope; the job list knows neither grid nor CE."""
        shared = {n: self.given.get(n, "") for n in ("kind", "label", "cloud", "site", "error")}
        return jobs_url(**{**shared, "ended": self.ended, **filters})

    @property
    def listable(self) -> bool:
        """Whether the job list can show just the jobs of this scope."""
        return not {"grid", "ce"} & {*self.given}

    @property
    def ended(self) -> str:
        """The span as the job list's filter of ends takes it."""
        until = f"{self.span.until:%Y-%m-%dT%H:%M}" if self.span.until else ""
        return f"{self.span.since:%Y-%m-%dT%H:%M}..{until}"

    def as_json(self) -> dict[str, Any]:
        """What the numbers are of."""
        return {
            "since": self.span.since,
            "until": self.span.until,
            "filters": {n: v for n, v in self.given.items() if n not in ("hours", "period")},
        }


def parse(
    given: QueryDict,
    *,
    now: dt.datetime,
    more: Iterable[str] = (),
    without: Iterable[str] = (),
    days: int = DAYS_APART,
) -> tuple[Scope, Params]:
    """The scope, and the parameters with `more` names. BadInput names value and range.

    `without` are filters that the page does not have; it has numbers of so many `days`.
    """
    dropped = [*without]
    params = Params(given, known=(*(name for name in FILTERS if name not in dropped), *more))
    sites = {site.pk: site for site in Site.objects.select_related("cloud")}
    named = {
        "site": [site.name for site in sites.values()],
        "cloud": Cloud.objects.values_list("name", flat=True),
        "grid": Site.Flavour.values,
    }
    for name, known in named.items():
        _known(params, name, known)
    hours, span = _window(params, now, days)
    return Scope(
        now=now,
        given={name: params.values[name] for name in FILTERS if name in params.values},
        hours=hours,
        span=span,
        labels=_labels(params),
        error=error_of(params.text("error")),
        sites=sites,
    ), params


def _known(params: Params, name: str, known: Iterable[str]) -> None:
    value, names = params.text(name), [*known]
    if value and value not in names and value != NONE:
        few = f", one of {', '.join(sorted(names)[:12])}{', ...' if len(names) > 12 else ''}"
        words = f"the name of a {name} that there is{few if names else ''}"
        raise refuse(name, value, words, code=f"unknown_{name}")


def _window(params: Params, now: dt.datetime, days: int) -> tuple[int | None, Span]:
    hours = params.number("hours", low=1, high=LONGEST_HOURS)
    if text := params.text("period"):
        if hours:
            raise refuse("period", text, "given without hours", code="two_windows")
        return None, named_period(params, text, now, days=days)
    hours = hours or DEFAULT_HOURS
    return hours, Span.of_hours(now, hours)


def periods(now: dt.datetime) -> dict[str, tuple[dt.datetime, dt.datetime | None]]:
    """The periods that have a name: since, and until (None: it is not over)."""
    today = midnight(now)
    monday = today - dt.timedelta(days=today.weekday())
    month = today.replace(day=1)
    return {
        "today": (today, None),
        "yesterday": (today - dt.timedelta(days=1), today),
        "this-week": (monday, None),
        "last-week": (monday - dt.timedelta(weeks=1), monday),
        "this-month": (month, None),
        "last-month": ((month - dt.timedelta(days=1)).replace(day=1), month),
    }


def named_period(params: Params, text: str, now: dt.datetime, *, days: int) -> Span:
    """A period by name, `FROM..TO` or `7d`: from the full hour, longer ago from the midnight."""
    named = periods(now).get(text)
    if named is None and ".." not in text and not text[:1].isdigit():
        words = f"one of {', '.join(periods(now))}, or FROM..TO such as 2026-11-21..2026-11-22"
        raise refuse("period", text, words, code="unknown_period", values=[*periods(now)])
    if named is None:
        period = params.period("period", now=now)
        named = (period.since or now - dt.timedelta(days=days), period.until)
    since, until = named
    first = midnight(now - dt.timedelta(days=days))
    if not first <= since <= now or (until is not None and until <= since):
        words = f"a period that begins between {first:%Y-%m-%d} and now, and ends after that"
        raise refuse("period", text, words, code="bad_period")
    over = until is not None and until <= now
    return Span(
        since=opening(since, now=now),
        until=closing(until, now=now) if over and until else None,
    )


def _labels(params: Params) -> Collection[str] | None:
    label = params.choice("label", LABELS)
    kind = params.choice("kind", KINDS)
    if not (label or kind):
        return None
    return [one for one in KINDS.get(kind, LABELS) if label in ("", one)]


def error_of(text: str) -> tuple[str, int | None] | None:
    """`pilot:1099`, `pilot` or `none` (failed without a code); None for ''."""
    if not text:
        return None
    component, colon, code = text.partition(":")
    known = (*ERROR_COMPONENTS, NO_CODE)
    if component not in known:
        words = f"component:code, the component one of {', '.join(known)}"
        raise refuse("error", text, words, code="unknown_component", values=[*known])
    digits = code.removeprefix("-")
    if colon and not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise refuse("error", text, "component:code with a number as code", code="bad_code")
    return component, int(code) if colon else None
