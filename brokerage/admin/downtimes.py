"""Downtimes of sites: announced, changed and withdrawn by hand, each with an audit line."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from brokerage.models import Downtime
from pandasite.base.admin_kit import OurAdmin
from pandasite.base.audit import record
from pandasite.base.clock import database_now


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
        for downtime in queryset:
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
