"""Storage elements: where they are, and which sites use them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from datasets.models import GB, Activity, Link, SiteStorage, StorageElement, StorageHealth
from datasets.storage import PROTOCOLS, StorageError, xroot_client, xroot_door
from datasets.storage.hosts import checked_url
from pandasite.base.admin_kit import OurAdmin

STAGE_BY = ("file", "root", "roots")  # protocols by which files of a tape can be asked for


class StorageElementForm(forms.ModelForm):
    """Refuses addresses that the transfer engine cannot open."""

    class Meta:
        model = StorageElement
        fields = [
            "name",
            "ddm_name",
            "url",
            "endpoint",
            "secret",
            "kind",
            "space_token",
            "capacity_bytes",
            "threshold_gb",
            "max_transfers",
        ]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        protocol, separator, rest = url.partition("://")
        if not separator:
            raise forms.ValidationError("must be an address such as file:///data/se")
        if protocol not in PROTOCOLS:
            known = ", ".join(f"{name}://" for name in sorted(PROTOCOLS))
            raise forms.ValidationError(
                f"the transfer engine does not speak {protocol}://; it speaks {known}"
            )
        if protocol == "file" and not rest.startswith("/"):
            raise forms.ValidationError("a file:// address names a folder from the root on")
        if protocol == "s3" and not rest.partition("/")[0]:
            raise forms.ValidationError("an s3:// address names a bucket")
        if ".." in rest.split("/"):
            raise forms.ValidationError("an address must not go up by '..'")
        if protocol in ("dav", "davs"):
            _check_host(url)
        if protocol in ("root", "roots"):
            _check_xroot(url)
        return url

    def clean_endpoint(self) -> str:
        endpoint: str = self.cleaned_data["endpoint"]
        if endpoint and not endpoint.startswith(("https://", "http://")):
            raise forms.ValidationError("must be an address such as https://s3.example.org")
        if endpoint:
            _check_host(endpoint)
        return endpoint

    def clean_capacity_bytes(self) -> int:
        return _not_negative(self.cleaned_data["capacity_bytes"])

    def clean_threshold_gb(self) -> Any:
        return _not_negative(self.cleaned_data["threshold_gb"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        protocol = cleaned.get("url", "").partition("://")[0]
        if protocol and protocol != "s3" and cleaned.get("endpoint"):
            self.add_error("endpoint", f"is for s3:// only, this is {protocol}://")
        tape = cleaned.get("kind") == StorageElement.Kind.TAPE
        if tape and protocol not in ("", *STAGE_BY):
            self.add_error("kind", f"the transfer engine cannot stage files by {protocol}://")
        return cleaned


def _check_host(url: str) -> None:
    try:
        checked_url(url)
    except StorageError as error:
        raise forms.ValidationError(str(error)) from error


def _check_xroot(url: str) -> None:
    try:
        xroot_door.checked_url(url)
        xroot_client.library()
    except StorageError as error:
        raise forms.ValidationError(str(error)) from error


def _not_negative(value: Any) -> Any:
    if value is not None and value < 0:
        raise forms.ValidationError("must not be negative")
    return value


class SiteStorageForm(forms.ModelForm):
    """Says in words that a site writes to one storage element only."""

    class Meta:
        model = SiteStorage
        fields = ["site", "role"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        site, role = cleaned.get("site"), cleaned.get("role")
        if site is None or role != SiteStorage.Role.LOCAL:
            return cleaned
        others = SiteStorage.objects.filter(site=site, role=role).exclude(pk=self.instance.pk)
        if other := others.select_related("storage").first():
            self.add_error("site", f"jobs of {site} write to {other.storage} already")
        return cleaned


class SiteStorageInline(admin.TabularInline):
    model = SiteStorage
    form = SiteStorageForm
    extra = 0
    autocomplete_fields = ["site"]


@admin.register(StorageElement)
class StorageElementAdmin(OurAdmin):
    """The address comes from here and from nowhere else; free space is measured."""

    form = StorageElementForm
    list_display = [
        "name",
        "url",
        "kind",
        "space_token",
        "capacity",
        "free",
        "measured_at",
        "last_success",
        "last_error",
    ]
    list_filter = ["kind", "space_token"]
    list_select_related = ["health"]
    search_fields = ["name", "url", "sites__name"]
    readonly_fields = ["used_bytes", "free_bytes", "space_from", "measured_at", "health_now"]
    inlines = [SiteStorageInline]

    @admin.display(description="capacity (GB)", ordering="capacity_bytes")
    def capacity(self, storage: StorageElement) -> str:
        return f"{storage.capacity_bytes / GB:,.1f}"

    @admin.display(description="free (GB)", ordering="free_bytes")
    def free(self, storage: StorageElement) -> str:
        return "not measured" if storage.free_gb is None else f"{storage.free_gb:,.1f}"

    @admin.display(description="last success", ordering="health__ok_at")
    def last_success(self, storage: StorageElement) -> Any:
        health = _health(storage)
        return health.ok_at if health else None

    @admin.display(description="last error", ordering="health__error_at")
    def last_error(self, storage: StorageElement) -> str:
        health = _health(storage)
        if health is None or health.error_at is None:
            return ""
        return f"{health.error_at:%Y-%m-%d %H:%M} {health.reason}"

    @admin.display(description="health")
    def health_now(self, storage: StorageElement) -> str:
        health = _health(storage)
        if health is None:
            return "no copy from or to it has been tried yet"
        latency = (
            "" if health.latency_ms is None else f", first answer after {health.latency_ms:.0f} ms"
        )
        failing = (
            f", failing since {health.failing_since:%Y-%m-%d %H:%M}" if health.failing_since else ""
        )
        error = (
            f"; last error {health.error_at:%Y-%m-%d %H:%M}: {health.error}"
            if health.error_at
            else ""
        )
        served = f"{health.ok_at:%Y-%m-%d %H:%M}" if health.ok_at else "never"
        return f"last success {served}{latency}{failing}{error}"


def _health(storage: StorageElement) -> StorageHealth | None:
    try:
        return storage.health
    except StorageHealth.DoesNotExist:
        return None


@admin.register(Link)
class LinkAdmin(OurAdmin):
    """How many copies a link takes at once; how well they went is measured."""

    list_display = ["__str__", "max_transfers", "success", "rate", "measured_at"]
    list_select_related = ["source", "destination"]
    list_filter = ["source", "destination"]
    search_fields = ["source__name", "destination__name"]
    autocomplete_fields = ["source", "destination"]
    readonly_fields = ["success", "bytes_per_second", "measured_at"]

    @admin.display(description="MB/s", ordering="bytes_per_second")
    def rate(self, link: Link) -> str:
        return "" if link.bytes_per_second is None else f"{link.bytes_per_second / 1e6:,.2f}"


@admin.register(Activity)
class ActivityAdmin(OurAdmin):
    """What part of the copying an activity gets while others wait too."""

    list_display = ["name", "share"]
    search_fields = ["name"]
    fields = ["name", "share"]
