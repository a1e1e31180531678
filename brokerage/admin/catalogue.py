"""VOs, clouds, releases and where they are installed: ordinary forms."""

from __future__ import annotations

from django.contrib import admin

from brokerage.models import VO, Cloud, InstalledRelease, Release
from pandasite.base.admin_kit import OurAdmin


@admin.register(VO)
class VOAdmin(OurAdmin):
    list_display = ["name", "description"]
    search_fields = ["name", "description"]


@admin.register(Cloud)
class CloudAdmin(OurAdmin):
    list_display = ["name", "tier1", "status", "weight", "fasttrack", "validation"]
    list_filter = ["status", "fasttrack", "validation", "releases_checked"]
    list_select_related = ["tier1"]
    search_fields = ["name"]
    autocomplete_fields = ["tier1"]


@admin.register(Release)
class ReleaseAdmin(OurAdmin):
    list_display = ["name", "version", "cmt_config"]
    list_filter = ["name", "cmt_config"]
    search_fields = ["name", "version", "cmt_config"]


@admin.register(InstalledRelease)
class InstalledReleaseAdmin(OurAdmin):
    list_display = ["site", "release", "validated"]
    list_filter = ["validated", "site"]
    list_select_related = ["site", "release"]
    search_fields = ["site__name", "release__name", "release__version"]
    autocomplete_fields = ["site", "release"]
