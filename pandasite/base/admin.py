"""Admin pages of the ground: sweep runs and the audit log, both to be looked at only."""

from __future__ import annotations

from django.contrib import admin

from pandasite.base.admin_kit import BigTableAdmin, ReadOnlyAdmin, recent
from pandasite.base.models import AuditLine, ServerProcess, SweepRun

admin.site.site_header = admin.site.site_title = "pandasite"
admin.site.index_title = "Administration"
admin.site.enable_nav_sidebar = False  # the lists need the room; the crumbs lead to the index


@admin.register(SweepRun)
class SweepRunAdmin(ReadOnlyAdmin):
    list_display = ["name", "ok", "ended_at", "rows", "runs", "host", "error"]
    list_filter = ["ok"]
    search_fields = ["name"]


@admin.register(ServerProcess)
class ServerProcessAdmin(ReadOnlyAdmin):
    list_display = ["host", "role", "work", "pid", "version", "started_at", "seen_at", "memory_mb"]
    list_filter = ["role"]
    search_fields = ["host"]


@admin.register(AuditLine)
class AuditLineAdmin(BigTableAdmin):
    list_display = ["at", "actor_name", "action", "subject", "reason"]
    list_filter = [recent("action", "action")]
    search_fields = ["subject", "actor_name"]
    date_hierarchy = "at"
    ordering = ["-at"]
    fields = ["at", "actor", "actor_name", "action", "subject", "reason", "facts"]
