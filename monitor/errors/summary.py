"""The error summary: a row for each error, the counts per state, and what stands out."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html

from jobs import counts, ends
from jobs.ends import Sum
from jobs.errors import SOURCES, meaning
from jobs.states import FINAL, JobState
from monitor.errors.loss import Totals, loss_class, percent, totals
from monitor.errors.scope import NO_CODE, Scope
from monitor.sheets import Sheet, column
from monitor.templatetags.monitor import utc
from monitor.words import STATE_HELP

# The first row of the page of 2009, and the two states that came later.
STATES = (
    "defined", "failed", "assigned", "waiting", "activated", "sent", "running", "holding",
    "transferring", "finished", "starting", "cancelled",
)  # fmt: skip
MEANINGS = SOURCES


def type_name(component: str) -> str:
    """The job's column that has the code, as PanDA writes it: `jobDispatcherErrorCode`."""
    if component == NO_CODE:
        return "no error code"
    first, *others = component.split("_")
    return f"{first}{''.join(word.title() for word in others)}ErrorCode"


@dataclass(frozen=True, kw_only=True)
class Line:
    """An error: how many jobs carry it, their CPU time, and what it means."""

    component: str
    code: int
    type_count: int  # of all lines of the component
    count: int
    cpu_s: int
    latest: dt.datetime | None
    meaning: str
    share: float | None  # of all failed jobs, percent
    jobs_url: str
    messages_url: str
    sites_url: str
    matrix_url: str

    @property
    def name(self) -> str:
        """As filters take it."""
        return self.component if self.component == NO_CODE else f"{self.component}:{self.code}"

    @property
    def type(self) -> str:
        return type_name(self.component)

    @property
    def cpu_hours(self) -> float:
        return round(self.cpu_s / 3600, 1)

    @property
    def loss(self) -> str:
        return loss_class(self.component, self.code)

    @property
    def description(self) -> str:
        return f"{self.code}: {self.meaning}"


class ErrorSheet(Sheet):
    """The columns of 2009, and three of ours."""

    type = column("Error type (type count)", "which part of the system gave the code; in brackets"
                  " the jobs with any code of that part", order_by=("type", "code"))  # fmt: skip
    count = column("Count", "failed jobs that carry the code; one with two codes is in two rows",
                   look="n")  # fmt: skip
    cpu_hours = column("CPU-hrs", "CPU time of these jobs, lost", look="n")
    latest = column("Latest", "when the latest of them ended")
    description = column("Code: Description", "the code and its meaning in the catalogue",
                         order_by=("code", "type"))  # fmt: skip
    share = column("% of failed", "of all jobs that failed in the window", look="n")
    loss = column("Loss", "whose loss it is: see the line above")
    links = column("Look at", "the jobs, their messages, where they ran, what they were",
                   empty_values=(), orderable=False)  # fmt: skip

    class Meta(Sheet.Meta):
        attrs = {"class": "plain", "aria-label": "Errors"}
        empty_text = "No job failed here: nothing to do. Take a filter away, or a longer window."

    def render_type(self, record: Line) -> str:
        return f"{record.type} ({record.type_count})"

    def render_count(self, record: Line) -> str:
        if not record.jobs_url:
            return str(record.count)
        return format_html('<a href="{}">{}</a>', record.jobs_url, record.count)

    def render_cpu_hours(self, record: Line) -> str:
        return f"{record.cpu_hours:.1f}"

    def render_latest(self, record: Line) -> str:
        return utc(record.latest)

    def render_share(self, record: Line) -> str:
        return "" if record.share is None else f"{record.share:.1f}"

    def render_loss(self, record: Line) -> str:
        return format_html('<span class="loss loss-{0}">{0}</span>', record.loss)

    def render_links(self, record: Line) -> str:
        return format_html(
            '<a href="{}">messages</a> <a href="{}">sites</a> <a href="{}">workflows</a>',
            record.messages_url,
            record.sites_url,
            record.matrix_url,
        )


@dataclass(frozen=True, kw_only=True)
class StateCount:
    """A cell of the row "All"; n is None where it cannot be told."""

    state: str
    n: int | None
    url: str
    after: str = ""  # such as (17.1%)

    @property
    def help(self) -> str:
        return STATE_HELP[JobState(self.state)]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The page."""

    totals: Totals
    lines: Sequence[Line]
    states: Sequence[StateCount]
    worst: Line | None  # the one that cost most, if any stands out
    worst_site: str
    worst_site_percent: float | None

    def as_json(self) -> dict[str, Any]:
        """The facts but for the table; times times cores and CPU in hours."""
        return {
            "wall_time_hours": round(self.totals.busy_hours, 1),
            "losses": {loss.name: loss.as_json() for loss in self.totals.losses},
            "all": {
                **{cell.state: cell.n for cell in self.states},
                "failed_percent": self.totals.failed_percent,
            },
        }


def read(scope: Scope, *, source: str = "") -> Summary:
    """The summary; meanings by the catalogue `source` alone, '' = by the first that knows."""
    sums = ends.errors(scope.span, by=("state", "component", "code"), **scope.narrowing)
    whole = totals(sums)
    lines = lines_of(sums, scope, source=source)
    worst = max(lines, key=lambda line: line.cpu_s * 1000 + line.count, default=None)
    site, there = _where(worst, scope) if worst else ("", None)
    return Summary(
        totals=whole,
        lines=lines,
        states=_states(whole, scope),
        worst=worst,
        worst_site=site,
        worst_site_percent=there,
    )


def lines_of(sums: Sequence[Sum], scope: Scope, *, source: str) -> list[Line]:
    """The rows in the order of 2009: by type, then by code. Keys end in (.., component, code)."""
    failed = [one for one in sums if one.key[-2]]
    chosen = [one for one in failed if _wanted(one, scope.error)]
    types: Counter[str] = Counter()
    for one in chosen:
        types[one.key[-2]] += one.n
    jobs = sum(one.jobs for one in failed)
    lines = [_line(one, scope, types=types, jobs=jobs, source=source) for one in chosen]
    return sorted(lines, key=lambda line: (line.type, line.code))


def _wanted(one: Sum, error: tuple[str, int | None] | None) -> bool:
    component, code = one.key[-2:]
    return error is None or (error[0] == component and error[1] in (None, code))


def _line(one: Sum, scope: Scope, *, types: Counter[str], jobs: int, source: str) -> Line:
    component, code = one.key[-2:]
    name = component if component == NO_CODE else f"{component}:{code}"
    listed = scope.listable and component != NO_CODE
    return Line(
        component=component,
        code=code,
        type_count=types[component],
        count=one.n,
        cpu_s=one.cpu_s,
        latest=one.latest,
        meaning=_meaning(component, code, source),
        share=percent(one.n, jobs),
        jobs_url=scope.jobs_url(state="failed", error=name) if listed else "",
        messages_url=scope.url("monitor:errors_messages", error=name),
        sites_url=scope.url("monitor:errors_sites", error=name),
        matrix_url=scope.url("monitor:errors_matrix", error=name, ce=""),
    )


def _meaning(component: str, code: int, source: str) -> str:
    if component == NO_CODE:
        return "failed, and nobody said why"
    return meaning(component, code, source=source)


def _where(worst: Line, scope: Scope) -> tuple[str, float | None]:
    """The site that the most of these jobs failed at, and its share of them in percent."""
    narrowing = {**scope.narrowing, "component": [worst.component], "code": [worst.code]}
    sites = ends.errors(scope.span, by=("site_id",), **narrowing)
    top = max(sites, key=lambda one: one.n, default=None)
    if top is None:
        return "", None
    return scope.site_name(top.key[0]), percent(top.n, worst.count)


def _states(whole: Totals, scope: Scope) -> list[StateCount]:
    live = _live(scope)
    after = "" if whole.failed_percent is None else f"({whole.failed_percent}%)"
    return [
        StateCount(
            state=state,
            n=getattr(whole, state) if state in FINAL else live[state] if live else None,
            url=_state_url(scope, state),
            after=after if state == JobState.FAILED else "",
        )
        for state in STATES
    ]


def _state_url(scope: Scope, state: str) -> str:
    if not scope.listable:
        return ""
    return scope.jobs_url(state=state, error="", **({} if state in FINAL else {"ended": ""}))


def _live(scope: Scope) -> Counter[str] | None:
    """Live jobs by state; None where a computing element is asked for, which they have not."""
    if "ce" in scope.given:
        return None
    found: Counter[str] = Counter()
    for count in counts.read(ended_since=scope.now, labels=scope.labels):
        if scope.site_ids is None or count.site_id in scope.site_ids:
            found[count.state] += count.n
    return found
