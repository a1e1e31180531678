"""Pilots that were seen, and the accounts and tokens with which they ask for work."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from brokerage.bans import ban_node
from brokerage.models import Site
from jobs import identity
from jobs.models import Pilot, PilotAccount
from pandasite.base import audit
from pandasite.base.admin_kit import BigTableAdmin, ReadOnlyAdmin
from pandasite.base.clock import database_now
from pandasite.base.deeds import Deed, Order, ReasonForm
from pandasite.base.errors import Conflict
from pandasite.base.rights import may_somewhere
from pandasite.identity.backend import sites_for


def _ban(pilot: Pilot, order: Order) -> str:
    ban_node(pilot.site, pilot.node, user=order.user, reason=order.reason, now=order.now)
    return "banned, gets no more jobs"


@admin.register(Pilot)
class PilotAdmin(BigTableAdmin):
    list_display = ["pilot_id", "site", "node", "factory", "last_contact", "claims", "jobs"]
    list_filter = ["site"]
    list_select_related = ["site"]
    search_fields = ["pilot_id__exact", "node__exact", "factory__exact"]
    search_help_text = "By pilotID, node or factory, whole."
    deeds = [
        Deed(
            name="ban_node",
            label="Ban the node…",
            permission="brokerage.add_bannednode",
            apply=_ban,
            explain="These nodes get no more jobs; what runs there goes on.",
            subject=lambda pilot: f"{pilot.node} at {pilot.site}",
        )
    ]


ISSUE = "jobs.add_pilotaccount"


class PilotTokenForm(ReasonForm):
    """Which site, for how long, and why."""

    field_order = ["site", "days", "reason"]
    site = forms.ModelChoiceField(queryset=Site.objects.all())
    days = forms.FloatField(
        min_value=1 / 24, max_value=366, initial=identity.PILOT_TOKEN_DAYS, label="Days it is good"
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["site"]
        field.queryset = sites_for(user, ISSUE)


@admin.register(PilotAccount)
class PilotAccountAdmin(ReadOnlyAdmin):
    """One account per site; it is made with its first token."""

    list_display = ["user", "site"]
    list_filter = ["site"]
    list_select_related = ["user", "site"]
    search_fields = ["user__username", "site__name"]
    change_list_template = "admin/jobs/pilotaccount_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.issue_view)
        return [path("issue/", view, name="jobs_pilotaccount_issue"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = (extra_context or {}) | {"may_issue": self.has_issue_permission(request)}
        return super().changelist_view(request, context)

    def has_issue_permission(self, request: HttpRequest) -> bool:
        return may_somewhere(request.user, ISSUE)

    @method_decorator(never_cache)
    @method_decorator(sensitive_variables("token"))
    def issue_view(self, request: HttpRequest) -> HttpResponse:
        """Makes a token and shows it on this page: only its hash is kept, nobody sees it again."""
        if not self.has_issue_permission(request):
            raise PermissionDenied
        form = PilotTokenForm(request.POST or None, user=request.user)
        token = ""
        if form.is_valid():
            try:
                token = _issue(form, request.user)
            except Conflict as conflict:
                form.add_error("site", conflict.message)
        context = {
            **self.admin_site.each_context(request),
            "title": "Issue a pilot token",
            "opts": self.opts,
            "form": form,
            "media": self.media + form.media,
            "token": token,
            "site": form.cleaned_data["site"] if token else None,
        }
        return TemplateResponse(request, "admin/jobs/issue_token.html", context)


@transaction.atomic
def _issue(form: PilotTokenForm, user: Any) -> str:
    values = form.cleaned_data
    token = identity.new_pilot_token(values["site"], days=values["days"])
    audit.record(
        actor=user,
        action="pilot_token_issued",
        subject=values["site"].name,
        reason=values["reason"],
        now=database_now(),
        facts={"days": values["days"]},
    )
    return token
