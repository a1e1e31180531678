"""Pages that are one list: title, filters, what it is made of and when, and a sheet."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase

from monitor import sheets
from monitor.params import Params
from monitor.sheets import Sheet
from pandasite.base.errors import BadInput
from pandasite.base.models import SweepRun
from pandasite.base.params import refuse

TEMPLATE = "monitor/list.html"
NAMED = 20  # names that a refusal lists
COMPARED = 5000  # names that a wrong one is compared with


@dataclass(frozen=True, kw_only=True)
class Field:
    """A filter of the form: free text, or one of `options` (value, words), or text with `known`."""

    name: str
    title: str
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    known: Sequence[str] = ()
    any: str = "any"  # what no choice is called; '' where there must be one
    hint: str = ""  # what a text may look like


@dataclass(frozen=True, kw_only=True)
class Age:
    """When numbers of the page were made."""

    title: str
    at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """What stands above the sheet."""

    name: str  # of the CSV file
    title: str
    intro: str
    fields: Sequence[Field] = ()
    ages: Sequence[Age] = ()
    notes: Sequence[str] = ()  # what the reader must know to read the numbers right
    links: Sequence[tuple[str, str]] = ()  # title, address
    facts: Sequence[tuple[str, str]] = ()  # term, text: what the whole list adds up to
    shown: Sequence[str] = ()  # columns where the address names none; a file has all
    plot: str = ""  # address of the data of a stacked plot
    plot_title: str = ""


def respond(
    request: HttpRequest,
    page: ListPage,
    sheet: Sheet,
    *,
    params: Params,
    now: dt.datetime,
    facts: Mapping[str, Any] | None = None,
) -> HttpResponseBase:
    """The list as page, fragment, CSV or JSON; the JSON tells the ages, too."""
    if page.shown and params.values.get("format", "html") == "html":
        params.values.setdefault("columns", ",".join(page.shown))
    told = {"ages": {age.title: age.at for age in page.ages}, "notes": [*page.notes]}
    return sheets.respond(
        request,
        TEMPLATE,
        sheet,
        params=params,
        context={"page": page, "form_kept": _kept(request, params, page)},
        now=now,
        facts={**told, **(facts or {})},
        name=page.name,
    )


def _kept(request: HttpRequest, params: Params, page: ListPage) -> list[tuple[str, str]]:
    """What the form of the filters hands on: sorting, columns, and filters without a field."""
    fields = {field.name for field in page.fields} | {"page", "format"}
    given = params.values.items()
    return [(name, text) for name, text in given if name not in fields and name in request.GET]


def known(*names: str) -> tuple[str, ...]:
    """The parameters of a list with these filters."""
    return (*names, *sheets.PARAMS)


def chosen(params: Params, name: str, model: type[Model], *, by: str = "name") -> Any | None:
    """The row that a filter names; None when it names none. Raises BadInput for unknown names."""
    value = params.text(name)
    if not value:
        return None
    found = model._default_manager.filter(**{by: value}).first()
    if found is None:
        names = list(model._default_manager.order_by(by).values_list(by, flat=True)[: NAMED + 1])
        words = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        raise refuse(name, value, f"one of {words or 'those that there will be'}", code="unknown")
    return found


def account(params: Params, name: str, *, known: Callable[[str], bool] = lambda text: False) -> str:
    """The user that a filter names, '' for none. Raises BadInput for a name that nobody has.

    `known` says whether a name without an account is one all the same.
    """
    text = params.text(name)
    accounts = get_user_model().objects.order_by("pk").values_list("username", flat=True)
    if text and not accounts.filter(username=text).exists() and not known(text):
        raise no_such(name, text, accounts[:COMPARED], "user")
    return text


def no_such(name: str, value: str, known: Iterable[str], thing: str) -> BadInput:
    """The refusal of a name that nothing has, with the nearest that there are."""
    close = difflib.get_close_matches(value.rstrip("*"), [*known][:COMPARED], n=3)
    hint = f" (nearest: {', '.join(close)})" if close else ""
    return refuse(name, value, f"the name of a {thing}{hint}", code="unknown_name", close=close)


def names(model: type[Model], *, by: str = "name", most: int = 500) -> list[str]:
    """What a text field proposes."""
    return list(model._default_manager.order_by(by).values_list(by, flat=True)[:most])


def words(values: Iterable[str]) -> list[tuple[str, str]]:
    """Options that are called what they are."""
    return [(value, value) for value in values]


def sweep_age(title: str, sweep: str) -> Age:
    """When the sweep last went through; None: never."""
    run = SweepRun.objects.filter(name=sweep).first()
    return Age(title=title, at=run.last_ok_at if run else None)
