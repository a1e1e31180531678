"""My tokens: make one, which is shown this once; see what there are; end one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from jobs import identity
from monitor import columns, sheets
from monitor.errors.acting import Done
from monitor.forms import for_people
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base.clock import database_now
from pandasite.base.deeds import one_line
from pandasite.base.errors import DomainError, Unprocessable
from pandasite.identity.backend import sites_for
from pandasite.identity.models import TokenNote
from pandasite.identity.roles import reads_only

Scope = TokenNote.Scope
FOR_PILOTS = "jobs.add_pilotaccount"
MOST = 500  # tokens of a person
FIELDS = ("name", "scope", "site", "days")
TOKEN = "csrfmiddlewaretoken"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A token; the rest of it was shown once."""

    key: str
    name: str
    scope: str
    user: str
    created: Any
    expiry: Any


class TokenSheet(Sheet):
    """Tokens, newest first."""

    key = column("Begins", "its first letters: only a hash of the rest is kept")
    name = column("Name", "what it is for")
    scope = column("May", "what can be done with it")
    user = column("Account", "who calls, to the server")
    created = columns.time("Made (UTC)", "when")
    expiry = columns.time("Ends (UTC)", "from then on it is refused")

    class Meta(Sheet.Meta):
        empty_text = "You have no tokens. The form below makes one."


class TokenForm(forms.Form):
    """A new token; who reads only makes tokens to read, and pilots' are for who may issue them."""

    name = forms.CharField(
        max_length=64,
        label="What it is for",
        validators=[one_line],
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "my laptop"}),
        help_text="By this you know it again.",
    )
    scope = forms.ChoiceField(label="It may", help_text="As little as will do.")
    site: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        queryset=None, required=False, label="Site", help_text="For a token of pilots alone."
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=366,
        initial=identity.USER_TOKEN_DAYS,
        label="Days it is good",
        help_text="1 to 366.",
    )

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data)
        scopes = [Scope.READ] if reads_only(user) else [Scope.ALL, Scope.READ]
        sites = sites_for(user, FOR_PILOTS).order_by("name")
        if sites.exists():
            scopes.append(Scope.PILOT)
        else:
            del self.fields["site"]
        fields: Any = self.fields
        fields["scope"].choices = [(scope.value, scope.label) for scope in scopes]
        if "site" in fields:
            fields["site"].queryset = sites

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        for_pilots = said.get("scope") == Scope.PILOT
        if for_pilots and "site" not in self.errors and not said.get("site"):
            self.add_error("site", "which site's pilots? Choose one.")
        if not for_pilots and said.get("site"):
            self.add_error("site", "only a token of pilots has a site")
        return said


def _rows(user: Any) -> list[Row]:
    found = list(identity.tokens_of(user)[: MOST + 1])
    if len(found) > MOST:
        raise Unprocessable(f"more than {MOST:,} tokens: end some", code="too_many")
    return [_row(one) for one in found]


def _row(one: Any) -> Row:
    note = getattr(one, "note", None)
    return Row(
        key=one.token_key,
        name=note.name if note else "made on the command line or by an administrator",
        scope=str(Scope(note.scope).label if note else Scope.ALL.label),
        user=one.user.get_username(),
        created=one.created,
        expiry=one.expiry,
    )


@require_safe
@for_people
def tokens(request: HttpRequest) -> HttpResponseBase:
    """The list, and the form for a new one."""
    params = Params(request.GET, known=sheets.PARAMS)
    return _page(request, TokenForm(user=request.user), params)


def _page(
    request: HttpRequest, form: TokenForm, params: Params, *, status: int = 200
) -> HttpResponseBase:
    rows = _rows(request.user)
    answer = sheets.respond(
        request,
        "monitor/accounts/tokens.html",
        TokenSheet(rows),
        params=params,
        context={"form": form, "tokens": rows},
        now=database_now(),
        name="tokens",
    )
    if status != 200:
        answer.status_code = status
    return answer


def _made(request: HttpRequest) -> HttpResponseBase:
    Params(request.POST, known=(*FIELDS, TOKEN))
    form = TokenForm(request.POST, user=request.user)
    if not form.is_valid():
        return _page(request, form, Params(request.GET, known=sheets.PARAMS), status=400)
    try:
        return _shown(request, form)
    except DomainError as error:
        form.add_error(None, error.message)
        return _page(request, form, Params(request.GET, known=sheets.PARAMS), status=409)


@sensitive_variables("token")
def _shown(request: HttpRequest, form: TokenForm) -> HttpResponseBase:
    said, user, now = form.cleaned_data, request.user, database_now()
    site = said.get("site")
    token = identity.new_named_token(
        by=user,  # type: ignore[arg-type]
        name=said["name"],
        scope=said["scope"],
        days=said["days"],
        now=now,
        site=site,
    )
    context = {"token": token, "name": said["name"], "site": site, "days": said["days"], "now": now}
    if site is None:
        context["client"] = identity.client_form(user, token)  # type: ignore[arg-type]
        context["server"] = request.build_absolute_uri("/").rstrip("/")
    return render(request, "monitor/accounts/made.html", context)


def _revoked(request: HttpRequest) -> HttpResponseBase:
    params = Params(request.POST, known=("key", TOKEN))
    now = database_now()
    named = identity.revoke_own(by=request.user, key=params.text("key", longest=25), now=now)  # type: ignore[arg-type]
    done = Done(title=f"The token {named} opens nothing more")
    context = {"done": done, "reason": "", "back": reverse("monitor:tokens"), "now": now}
    return render(request, "monitor/errors/done.html", context)


# Readers too: their tokens are for reading.
make = require_POST(for_people(_made, readers=True))
revoke = require_POST(for_people(_revoked, readers=True))
