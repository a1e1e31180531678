"""How the job list is shown: rows for the page, the form of filters, and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from brokerage.models import VO, Cloud, Site
from jobs.labels import LABELS
from jobs.models import ERROR_COMPONENTS, AnyJob
from jobs.states import JobState
from monitor.jobacts import ACTS, MOST
from monitor.jobcolumns import COLUMNS, Column
from monitor.joblist import Listing, Wanted, job_facts
from monitor.lists import Field, words
from monitor.sheets import csv_table
from monitor.words import KINDS, NONE

SPANS = ("1h", "3h", "12h", "24h", "7d", "30d")
IDLE = ("12h", "24h", "36h", "3d", "7d")  # live jobs that nothing has touched for so long


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a column; `url` sorts by it, `sorted` is what aria-sort says."""

    title: str
    help: str
    look: str
    url: str = ""
    sorted: str = ""


def heads(wanted: Wanted) -> list[Head]:
    """The heads of the table; a click sorts, a second one turns round."""
    made = []
    for column in _columns(wanted):
        here = column.sort and column.sort == wanted.sort.name
        url = "?" + wanted.query(sort=wanted.sort.other_way(column.sort)) if column.sort else ""
        made.append(
            Head(
                title=column.title,
                help=column.help,
                look=column.look,
                url=url,
                sorted=("descending" if wanted.sort.descending else "ascending") if here else "",
            )
        )
    return made


def _columns(wanted: Wanted) -> list[Column]:
    return [COLUMNS[name] for name in wanted.columns]


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A row of the page: class and HTML of each cell."""

    job: AnyJob
    cells: Sequence[tuple[str, str]]


def rows(wanted: Wanted, listing: Listing) -> list[JobRow]:
    """The page's rows."""
    columns = _columns(wanted)
    return [
        JobRow(job=job, cells=[(column.look, column.cell(job)) for column in columns])
        for job in listing.jobs
    ]


def choices(wanted: Wanted) -> list[tuple[str, str, str, bool]]:
    """Key, title, meaning and whether it is shown, of every column."""
    return [
        (name, column.title, column.help, name in wanted.columns)
        for name, column in COLUMNS.items()
    ]


def form(wanted: Wanted) -> list[Field]:
    """The fields that people use most; all other filters are kept while they are given."""
    options = _options()
    known = {"site": [site.name for site in Site.objects.only("name").order_by("name")]}
    return [
        Field(
            name=name,
            title=title,
            value=wanted.filters.get(name, ""),
            options=_with_given(options.get(name, ()), wanted.filters.get(name, "")),
            known=known.get(name, ()),
            hint=HINTS.get(name, ""),
        )
        for name, title in FIELDS
    ]


FIELDS = (
    ("state", "State"), ("kind", "Kind"), ("cloud", "Cloud"), ("site", "Site"), ("task", "Task"),
    ("user", "User"), ("vo", "VO"), ("label", "Label"), ("error", "Error"), ("ended", "Ended"),
    ("created", "Created"), ("idle", "Not updated"),
)  # fmt: skip


HINTS = {"error": "pilot:1099"}


def _options() -> dict[str, list[tuple[str, str]]]:
    spans = [(span, f"last {span[:-1]} {span[-1]}") for span in SPANS]
    clouds = [cloud.name for cloud in Cloud.objects.only("name")]
    return {
        "state": words(JobState),
        "kind": words(KINDS),
        "cloud": [*words(clouds), (NONE, "none yet")],
        "vo": words(vo.name for vo in VO.objects.only("name")),
        "label": words(LABELS),
        "ended": spans,
        "created": spans,
        "idle": [(span, f"for {span[:-1]} {span[-1]}") for span in IDLE],
    }


def _with_given(options: Sequence[tuple[str, str]], given: str) -> list[tuple[str, str]]:
    """A value that is not among the options (such as two dates) is offered as it is."""
    if not options or not given or any(value == given for value, _ in options):
        return [*options]
    return [*options, (given, given)]


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A filter that is on; `url` is the list without it."""

    name: str
    value: str
    url: str


def chips(wanted: Wanted) -> list[Chip]:
    """The filters that are on, in the order of the form."""
    return [
        Chip(
            name=name.replace("_", " "),
            value="none" if value == NONE else value,
            url="?" + wanted.query(**{name: ""}),
        )
        for name, value in wanted.filters.items()
    ]


def hidden(wanted: Wanted) -> list[tuple[str, str]]:
    """What is on and has no field: the form hands it on."""
    shown = {name for name, _ in FIELDS}
    filters = [(name, value) for name, value in wanted.filters.items() if name not in shown]
    return filters + [(name, value) for name, value in wanted.shape().items() if value]


def kept(wanted: Wanted) -> list[tuple[str, str]]:
    """All that is on but the columns, for the form that chooses those."""
    shape = {name: value for name, value in wanted.shape().items() if name != "columns"}
    return [(name, value) for name, value in {**wanted.filters, **shape}.items() if value]


def context(wanted: Wanted, listing: Listing) -> dict[str, Any]:
    """What the template needs."""
    return {
        "wanted": wanted,
        "listing": listing,
        "heads": heads(wanted),
        "rows": rows(wanted, listing),
        "choices": choices(wanted),
        "chosen": ",".join(wanted.columns),
        "form": form(wanted),
        "hidden": hidden(wanted),
        "kept": kept(wanted),
        "chips": chips(wanted),
        "acts": ACTS,
        "may_act_on_all": listing.exact and 0 < listing.total <= MOST and bool(wanted.filters),
        "facets_url": f"{reverse('monitor:job_facets')}?{wanted.query()}",
        "next_url": "?" + wanted.query(before=listing.before) if listing.before else "",
        "first_url": "?" + wanted.query() if wanted.before else "",
        "json_url": "?" + wanted.query(format="json"),
        "csv_url": "?" + wanted.query(format="csv", limit="1000"),
    }


def csv_response(listing: Listing) -> HttpResponse:
    """The page of the list as CSV; a text that begins like a formula gets a `'` in front."""
    facts = [job_facts(job) for job in listing.jobs]
    names = [name for name in (facts[0] if facts else {}) if name != "errors"]
    codes = [f"{component}_error" for component in ERROR_COMPONENTS]
    rows = (_csv_row(fact, names) for fact in facts)
    response = csv_table([*names, *codes], rows, name="jobs")
    if listing.before:
        response.headers["X-Next-Before"] = listing.before
    return response


def _csv_row(fact: dict[str, Any], names: Sequence[str]) -> Iterator[Any]:
    yield from (fact[name] for name in names)
    said = {error["component"]: error for error in fact["errors"]}
    for component in ERROR_COMPONENTS:
        error = said.get(component)
        yield f"{error['code']}: {error['meaning']}; {error['diag']}" if error else ""
