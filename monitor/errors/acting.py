"""What all actions of these pages share: a role, a reason, and a page that tells what came of it.

The page before has shown what is to be done, to how many; it hands over just these. The services
write the audit line.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from monitor.pages import problem_page
from monitor.words import plural
from pandasite.base.clock import database_now
from pandasite.base.errors import BadInput, Conflict, DomainError, NotAllowed, field_error
from pandasite.base.fields import CONTROL
from pandasite.base.params import Params
from pandasite.base.problems import problem_of
from pandasite.base.rights import may_somewhere

LONGEST_REASON = 255
Again = Callable[[HttpRequest, DomainError, int], HttpResponseBase]
COMMON = ("reason", "back", "csrfmiddlewaretoken")


@dataclass(frozen=True, kw_only=True)
class Order:
    """An action as it was ordered; `params` has its own fields, checked against the known ones."""

    user: Any
    reason: str
    now: dt.datetime
    params: Params
    permission: str

    def may(self, thing: Any) -> bool:
        """Whether it may be done to this thing: who may at some sites, may not at others."""
        return bool(self.user.has_perm(self.permission, thing))

    def must_be_own(self, site: Any) -> None:
        """NotAllowed when it may not be done at this site."""
        if not self.may(site):
            raise NotAllowed(f"{site} is not among your own sites: this needs {self.permission}")


@dataclass(kw_only=True)
class Done:
    """What came of it: a sentence, and lines of text with an address or ''."""

    title: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def action(
    permission: str, *, fields: Iterable[str], again: Again | None = None
) -> Callable[[Callable[[Order], Done]], Callable[[HttpRequest], HttpResponseBase]]:
    """A view that takes a POST of `fields` from somebody with the permission, and tells the end.

    `again` answers what cannot be done as it was filled in, such as with the form once more.
    """
    known = [*fields, *COMMON]

    def decorate(act: Callable[[Order], Done]) -> Callable[[HttpRequest], HttpResponseBase]:
        @require_POST
        @functools.wraps(act)
        def view(request: HttpRequest) -> HttpResponseBase:
            try:
                _allowed(request, permission)
                params = Params(request.POST, known=known)
                reason = reason_of(params)
                order = Order(
                    user=request.user,
                    reason=reason,
                    now=database_now(),
                    params=params,
                    permission=permission,
                )
                done = act(order)
            except DomainError as error:
                problem = problem_of(error)
                if again and isinstance(error, BadInput | Conflict):
                    return again(request, error, problem.status)
                return problem_page(request, problem)
            context = {"done": done, "reason": reason, "back": _back(params), "now": order.now}
            return render(request, "monitor/errors/done.html", context)

        return view

    return decorate


def _allowed(request: HttpRequest, permission: str) -> None:
    user = request.user
    if not user.is_authenticated:
        raise NotAllowed("log in first: this is not for everybody")
    if hasattr(user, "pilot_account") or not may_somewhere(user, permission):
        raise NotAllowed(f"this needs the permission {permission}; operators have it")


def reason_of(params: Params) -> str:
    """One line that says why; BadInput without it."""
    reason = params.text("reason", longest=LONGEST_REASON).strip()
    if not reason:
        words = "reason must be given: it is kept with your name"
        raise BadInput(words, code="required", fields=[field_error("reason", words)])
    if CONTROL.search(reason):
        words = "reason must be one line without control characters"
        raise BadInput(words, code="bad_value", fields=[field_error("reason", words)])
    return reason


def numbers_of(params: Params, name: str, *, most: int) -> Sequence[int]:
    """Numbers such as `1,2,3`, at least one and each once. BadInput names what is none."""
    words = params.text(name, longest=20 * most).split(",")
    wrong = [w for w in words if not (w.isascii() and w.isdigit() and len(w) < 19)]
    if wrong or len(words) > most:
        given = wrong[0][:80] if wrong else plural(len(words), "number")
        said = f"{name} must be 1 to {most} numbers separated by commas, not '{given}'"
        raise BadInput(said, code="bad_value", fields=[field_error(name, said, max=most)])
    return sorted({int(word) for word in words})


def _back(params: Params) -> str:
    """Where the visitor came from, a page of ours."""
    back = params.text("back", longest=2000)
    ours = back.startswith("/") and back[1:2] not in ("/", "\\")
    return back if ours else reverse("monitor:errors")
