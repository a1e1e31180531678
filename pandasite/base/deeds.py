"""Deeds: admin actions that ask for a reason.

The page of a deed asks for the reason first; then the deed is done to each row in a transaction of
its own, an audit line is written, and every result is reported.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin, helpers
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from pandasite.base import audit
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError
from pandasite.base.fields import CONTROL

MOST = 500  # rows per deed: each is a field of the form, and Django takes 1,000 of those
SHOWN = 50  # rows named on the page, and refusals named in the report
ASKED = "deed"  # the field that tells the answered page from the first asking

one_line = RegexValidator(CONTROL, "one line without control characters", inverse_match=True)


class ReasonForm(forms.Form):
    """The reason of a deed, and in subclasses what else it needs."""

    reason = forms.CharField(
        max_length=255,
        validators=[one_line],
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True}),
        error_messages={"required": "Give a reason: it is kept with your name."},
        help_text="Kept with your name and the time, for everybody to read.",
    )


@dataclass(frozen=True, kw_only=True)
class Order:
    """A deed as it was ordered; `values` are the cleaned fields of its form."""

    user: Any
    reason: str
    now: dt.datetime
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The user's name, as services take an actor."""
        return str(self.user.get_username())


@dataclass(frozen=True, kw_only=True)
class Deed:
    """An action that asks for a reason.

    `apply` does it to one row and says what came of it; a DomainError is a refusal. `audit` names
    the audit line; it is empty where the service writes one itself. `permission` is the full name.
    """

    name: str
    label: str
    permission: str
    apply: Callable[[Any, Order], str]
    explain: str = ""
    audit: str = ""
    form: type[ReasonForm] = ReasonForm
    subject: Callable[[Any], str] = str


@dataclass
class Outcome:
    """What became of the rows: their names by the words for their end, and refusals."""

    done: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)


def carry_out(deed: Deed, rows: Iterable[models.Model], order: Order) -> Outcome:
    """Do the deed to each row, in the order given; one refusal does not stop the others."""
    outcome = Outcome()
    for row in rows:
        subject = deed.subject(row)
        if not order.user.has_perm(deed.permission, row):
            outcome.refused.append(f"{subject}: it is not among your own sites")
            continue
        try:
            with transaction.atomic():
                said = deed.apply(row, order)
                if deed.audit:
                    _write_audit(deed, subject, said, order)
        except DomainError as error:
            outcome.refused.append(f"{subject}: {error.message}")
        else:
            outcome.done[said].append(subject)
    return outcome


def _write_audit(deed: Deed, subject: str, said: str, order: Order) -> None:
    audit.record(
        actor=order.user,
        action=deed.audit,
        subject=subject,
        reason=order.reason,
        now=order.now,
        facts={"outcome": said},
    )


def ask(
    deed: Deed, model_admin: ModelAdmin, request: HttpRequest, queryset: Any
) -> HttpResponse | None:
    """The page that asks for the reason; once that is given, the deed and its report."""
    rows = list(queryset[: MOST + 1])
    if len(rows) > MOST:
        many = f"At most {MOST} {model_admin.opts.verbose_name_plural} at once: choose fewer."
        model_admin.message_user(request, many, messages.ERROR)
        return None
    form = deed.form(request.POST if ASKED in request.POST else None)
    if not form.is_valid():
        page = _page(deed, model_admin, request, rows, form)
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/reason.html", page, status=status)
    values = form.cleaned_data
    order = Order(user=request.user, reason=values["reason"], now=database_now(), values=values)
    _report(model_admin, request, carry_out(deed, rows, order))
    return None


def _page(
    deed: Deed, model_admin: ModelAdmin, request: HttpRequest, rows: list[Any], form: ReasonForm
) -> dict[str, Any]:
    return {
        **model_admin.admin_site.each_context(request),
        "title": deed.label.removesuffix("…"),
        "deed": deed,
        "form": form,
        "opts": model_admin.opts,
        "media": model_admin.media + form.media,
        "rows": rows,
        "named": [deed.subject(row) for row in rows[:SHOWN]],
        "unnamed": max(0, len(rows) - SHOWN),
        "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "asked": ASKED,
    }


def _report(model_admin: ModelAdmin, request: HttpRequest, outcome: Outcome) -> None:
    for said, names in outcome.done.items():
        text = f"{capfirst(said)}: {', '.join(names)}"
        model_admin.message_user(request, text, messages.SUCCESS)
    for line in outcome.refused[:SHOWN]:
        model_admin.message_user(request, f"Refused: {line}", messages.ERROR)
    if unnamed := outcome.refused[SHOWN:]:
        model_admin.message_user(request, f"{len(unnamed)} more were refused", messages.ERROR)
