"""VOs, clouds, releases and where they are installed: ordinary forms.

The status of a cloud is in no form: it is set by deeds, with a reason.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from brokerage.models import VO, Cloud, InstalledRelease, Release
from brokerage.services import set_cloud_status
from pandasite.base.admin_kit import OurAdmin
from pandasite.base.deeds import Deed, Order

# What each status means to brokerage, as the page of its deed says it.
CLOUD_STATUS_MEANING = {
    Cloud.Status.ONLINE: "Their sites get production jobs from the next brokerage round on.",
    Cloud.Status.OFFLINE: "Their sites get no production jobs that do not name the site. Analysis,"
    " and what is there already, goes on.",
}


def _status_deed(status: Cloud.Status) -> Deed:
    def apply(cloud: Cloud, order: Order) -> str:
        set_cloud_status(cloud, status, author=order.name, reason=order.reason, now=order.now)
        return f"{status} from now on"

    return Deed(
        name=f"set_{status}",
        label=f"Set {status}…",
        permission="brokerage.set_cloud_status",
        apply=apply,
        explain=CLOUD_STATUS_MEANING[status],
    )


@admin.register(VO)
class VOAdmin(OurAdmin):
    list_display = ["name", "description"]
    search_fields = ["name", "description"]


@admin.register(Cloud)
class CloudAdmin(OurAdmin):
    list_display = [
        "name",
        "tier1",
        "status",
        "status_reason",
        "status_by",
        "status_at",
        "weight",
        "fasttrack",
        "validation",
    ]
    list_filter = ["status", "fasttrack", "validation", "releases_checked"]
    list_select_related = ["tier1"]
    search_fields = ["name"]
    readonly_fields = ["status", "status_reason", "status_by", "status_at"]
    autocomplete_fields = ["tier1"]
    deeds = [_status_deed(status) for status in Cloud.Status]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write the form's columns only: somebody may be setting the status at this moment."""
        obj.save(update_fields=form.cleaned_data.keys() if change else None)


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
