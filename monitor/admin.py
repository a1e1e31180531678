"""The links of the dashboard in the admin."""

from __future__ import annotations

from django.contrib import admin

from monitor.models import Link, LinkBlock
from pandasite.base.admin_kit import OurAdmin


class LinkInline(admin.TabularInline):
    model = Link
    extra = 1


@admin.register(LinkBlock)
class LinkBlockAdmin(OurAdmin):
    """Shown at the end of the dashboard, in this order."""

    list_display = ["title", "position"]
    search_fields = ["title"]
    inlines = [LinkInline]
