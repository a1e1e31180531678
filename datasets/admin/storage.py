"""Storage elements: where they are, and which sites use them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from datasets.models import GB, SiteStorage, StorageElement
from datasets.storage import PROTOCOLS
from pandasite.base.admin_kit import OurAdmin


class StorageElementForm(forms.ModelForm):
    """Refuses addresses that the transfer engine cannot open."""

    class Meta:
        model = StorageElement
        fields = ["name", "url", "kind", "space_token", "capacity_bytes", "threshold_gb"]

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
        if ".." in rest.split("/"):
            raise forms.ValidationError("an address must not go up by '..'")
        return url

    def clean_capacity_bytes(self) -> int:
        return _not_negative(self.cleaned_data["capacity_bytes"])

    def clean_threshold_gb(self) -> Any:
        return _not_negative(self.cleaned_data["threshold_gb"])


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
    list_display = ["name", "url", "kind", "space_token", "capacity", "free", "measured_at"]
    list_filter = ["kind", "space_token"]
    search_fields = ["name", "url", "sites__name"]
    readonly_fields = ["free_bytes", "measured_at"]
    inlines = [SiteStorageInline]

    @admin.display(description="capacity (GB)", ordering="capacity_bytes")
    def capacity(self, storage: StorageElement) -> str:
        return f"{storage.capacity_bytes / GB:,.1f}"

    @admin.display(description="free (GB)", ordering="free_bytes")
    def free(self, storage: StorageElement) -> str:
        return "not measured" if storage.free_gb is None else f"{storage.free_gb:,.1f}"
