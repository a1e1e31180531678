"""Quotas of CPU time: ordinary forms. The monitor holds the usage against them."""

from __future__ import annotations

from django.contrib import admin

from jobs.models import UsageQuota
from pandasite.base.admin_kit import OurAdmin


@admin.register(UsageQuota)
class UsageQuotaAdmin(OurAdmin):
    list_display = ["name", "kind", "cpu_hours", "note"]
    list_filter = ["kind"]
    search_fields = ["name", "note"]
