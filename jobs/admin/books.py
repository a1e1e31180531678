"""Error meanings, of which the administrator decides on retries; transformations; decisions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from jobs.models import BrokerageDecision, ErrorCode, Tag, Transformation
from pandasite.base.admin_kit import RECENT, BigTableAdmin, OurAdmin, recent
from pandasite.base.audit import record
from pandasite.base.clock import database_now


@admin.register(ErrorCode)
class ErrorCodeAdmin(OurAdmin):
    """The reviewed catalogue; only `do_not_retry` is the administrator's."""

    list_display = ["component", "code", "source", "acronym", "meaning", "do_not_retry"]
    list_filter = ["component", "source", "do_not_retry"]
    search_fields = ["acronym", "meaning", "=code"]
    readonly_fields = ["component", "code", "source", "acronym", "meaning"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Meanings may be synchronised with the catalogue at this moment."""
        with transaction.atomic():
            obj.save(update_fields=["do_not_retry"])
            record(
                actor=request.user,
                action="retry policy",
                subject=f"error {obj.component} {obj.code} ({obj.source})",
                reason="do not retry" if obj.do_not_retry else "retry",
                now=database_now(),
            )


@admin.register(Transformation)
class TransformationAdmin(OurAdmin):
    """Which programs jobs may name. Jobs that have been submitted are not touched by a change."""

    list_display = ["name", "description"]
    search_fields = ["name", "description"]


@admin.register(Tag)
class TagAdmin(OurAdmin):
    """Looked at here; made and removed in the monitor."""

    list_display = ["name", "transformation", "atlas_release", "made_by", "created_at"]
    search_fields = ["name", "transformation", "description"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(BrokerageDecision)
class BrokerageDecisionAdmin(BigTableAdmin):
    list_display = ["at", "site", "n_jobs"]
    list_filter = [recent("site", "site")]
    search_fields = ["site__exact"]
    search_help_text = f"By the number of the decision; by site among the last {RECENT:,}."
    search_recent = True
    number_field = "pk"
    date_hierarchy = "at"
