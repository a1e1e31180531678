"""The form that asks for datasets; what is wrong with it is said beside its fields."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from brokerage.models import VO
from datasets.models import StorageElement
from jobs.usual import usual_vo
from monitor import lists
from monitor.asking.fields import reason
from monitor.catalogue import requests as asked
from monitor.params import Params
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError

LONGEST = 6000  # characters of names
PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class RequestForm(forms.Form):
    """Datasets, the VO whose data they are, the storage element, and why."""

    datasets = forms.CharField(
        label="Datasets",
        help_text=f"needed: a name on each line, at most {asked.MOST}",
        max_length=LONGEST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 70, "spellcheck": "false"}),
    )
    vo = forms.CharField(
        label="VO",
        help_text="whose data management brings them; empty: the one built in here",
        max_length=32,
        required=False,
        widget=forms.TextInput(attrs=PLAIN | {"list": "known-vo"}),
    )
    storage = forms.CharField(
        label="Storage element",
        help_text="needed: where they are to be",
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs=PLAIN | {"list": "known-storage"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = reason()

    def say(self, error: DomainError) -> None:
        """Each fault beside its field, or above the form."""
        for fault in error.fields or [{"field": "", "message": error.message}]:
            field = str(fault["field"])
            self.add_error(field if field in self.fields else None, str(fault["message"]))


def start_of(params: Params, *, user: Any) -> RequestForm:
    """The form as it begins: what the address says, and the VO that is most likely meant."""
    given = {
        "datasets": params.text("dataset"),
        "storage": params.text("storage", longest=64),
        "vo": params.text("vo", longest=32) or usual_vo(user),
    }
    return RequestForm(initial=given)


def shown(request: HttpRequest, form: RequestForm, *, status: int = 200) -> HttpResponse:
    """The page with the form."""
    context = {
        "form": form,
        "known": {"vo": lists.names(VO), "storage": lists.names(StorageElement)},
        "allowed": request.user.has_perm(asked.PERMISSION),
        "permission": asked.PERMISSION,
        "now": database_now(),
    }
    return render(request, "monitor/catalogue/request.html", context, status=status)


def again(request: HttpRequest, error: DomainError, status: int) -> HttpResponse:
    """The form once more, with what was filled in and what is wrong with it."""
    form = RequestForm(request.POST)
    form.is_valid()
    form.say(error)
    return shown(request, form, status=status)
