"""Quotas of CPU time: ordinary forms. jobs/quotas.py acts on those of a day."""

from __future__ import annotations

from django.contrib import admin

from jobs.models import UsageQuota
from pandasite.base.admin_kit import OurAdmin


@admin.register(UsageQuota)
class UsageQuotaAdmin(OurAdmin):
    list_display = [
        "name", "kind", "cpu_hours", "cpu_hours_day", "hard", "priority_offset", "note",
    ]  # fmt: skip
    list_filter = ["kind", "hard"]
    search_fields = ["name", "note"]
