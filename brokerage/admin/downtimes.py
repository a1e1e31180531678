"""Downtimes of sites: announced, changed and withdrawn by hand, each with an audit line."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest

from brokerage.models import Downtime, Site
from pandasite.base.admin_kit import OurAdmin
from pandasite.base.audit import record
from pandasite.base.clock import database_now
from pandasite.base.rights import SOMEWHERE, may, may_somewhere


class DowntimeForm(forms.ModelForm):
    """Its end lies behind its start."""

    class Meta:
        model = Downtime
        fields = ["site", "start", "end", "severity", "description", "link"]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        start, end = given.get("start"), given.get("end")
        if start and end and end <= start:
            self.add_error("end", f"must be later than the start, {start:%Y-%m-%d %H:%M} UTC")
        return given


@admin.register(Downtime)
class DowntimeAdmin(OurAdmin):
    form = DowntimeForm
    list_display = ["site", "start", "end", "severity", "description", "author"]
    list_filter = ["severity", "site"]
    list_select_related = ["site"]
    search_fields = ["site__name", "description"]
    autocomplete_fields = ["site"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_somewhere(request.user, "brokerage.add_downtime")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "brokerage.change_downtime", obj or SOMEWHERE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "brokerage.delete_downtime", obj or SOMEWHERE)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A site admin has the own sites to choose from."""
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        user = request.user
        if db_field.name == "site" and not user.has_perm("brokerage.add_downtime"):
            own = [s.pk for s in Site.objects.all() if user.has_perm("brokerage.add_downtime", s)]
            field.queryset = Site.objects.filter(pk__in=own)
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            obj.author = request.user.get_username()
            super().save_model(request, obj, form, change)
            self._note("downtime_changed" if change else "downtime_announced", request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self._note("downtime_withdrawn", request, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        downtimes = list(queryset)
        if not all(self.has_delete_permission(request, downtime) for downtime in downtimes):
            raise PermissionDenied  # one that is not at an own site: none is withdrawn
        for downtime in downtimes:
            self.delete_model(request, downtime)

    def _note(self, action: str, request: HttpRequest, downtime: Downtime) -> None:
        record(
            actor=request.user,
            action=action,
            subject=str(downtime),
            reason=downtime.description,
            now=database_now(),
            facts={"until": downtime.end.isoformat(), "severity": downtime.severity},
        )
