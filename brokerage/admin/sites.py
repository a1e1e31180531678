"""Sites: their form, their status as deeds, their files. The status is in no form and no file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportMixin
from import_export.forms import ExportForm, ImportForm

from brokerage.exchange import READ, SiteResource
from brokerage.models import InstalledRelease, Site, SiteStatusChange
from brokerage.services import book_new_site, set_site_status
from pandasite.base.admin_kit import BigTableAdmin, OurAdmin
from pandasite.base.clock import database_now
from pandasite.base.deeds import Deed, Order, ReasonForm
from pandasite.base.sheets import MAX_BYTES, BadSheet, SheetCSV, SheetJSON

# What each status means to brokerage and pilots, as the page of its deed says it.
STATUS_MEANING = {
    Site.Status.ONLINE: "They get jobs from the next brokerage round on.",
    Site.Status.OFFLINE: "They get no new jobs and their pilots are told so. Running jobs go on.",
    Site.Status.BROKEROFF: "Brokerage sends them nothing; jobs that are there, and jobs that name"
    " the site, are still handed out.",
    Site.Status.TEST: "Only test jobs are sent there.",
}


def _status_deed(status: Site.Status) -> Deed:
    def apply(site: Site, order: Order) -> str:
        set_site_status(site, status, author=order.name, reason=order.reason, now=order.now)
        return f"{status} from now on"

    return Deed(
        name=f"set_{status}",
        label=f"Set {status}…",
        permission="brokerage.set_site_status",
        apply=apply,
        explain=STATUS_MEANING[status],
    )


class SiteImportForm(ReasonForm, ImportForm):
    """A file of sites with the reason of the import; it may be checked only."""

    field_order = ["resource", "import_file", "format", "reason", "only_check"]
    only_check = forms.BooleanField(
        required=False, help_text="Say what would come of it, and import nothing."
    )

    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                f"the file has {file.size:,} bytes, at most {MAX_BYTES:,} are read"
            )
        return file


class InstalledReleaseInline(admin.TabularInline):
    model = InstalledRelease
    extra = 0
    autocomplete_fields = ["release"]


@admin.register(Site)
class SiteAdmin(ImportExportMixin, OurAdmin):
    """Sites, with CSV and JSON files of them; one bad row, and nothing of a file is imported."""

    list_display = [
        "name",
        "cloud",
        "tier",
        "type",
        "status",
        "status_reason",
        "status_by",
        "status_at",
        "slots",
    ]
    list_filter = ["status", "cloud", "type", "tier", "flavour", "vos"]
    list_select_related = ["cloud"]
    search_fields = ["name", "status_reason"]
    readonly_fields = ["status", "status_reason", "status_by", "status_at"]
    formfield_overrides = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}
    inlines = [InstalledReleaseInline]
    deeds = [_status_deed(status) for status in Site.Status]
    fieldsets = [
        (None, {"fields": ["name", "cloud", "tier", "type", "flavour", "vos"]}),
        (
            "Status",
            {
                "fields": ["status", "status_reason", "status_by", "status_at"],
                "description": "Set by an action in the list of sites, with a reason.",
            },
        ),
        (
            "What a job slot offers",
            {
                "fields": [
                    "slots",
                    "job_cap",
                    "max_core_count",
                    "memory_mb",
                    "cpu_speed_mhz",
                    "wall_seconds",
                    "scratch_mb",
                ]
            },
        ),
    ]

    resource_classes = [SiteResource]
    formats = [SheetCSV, SheetJSON]
    import_form_class = SiteImportForm
    # The other form has an inline script, which our CSP does not run.
    export_form_class = ExportForm
    import_template_name = "admin/brokerage/site/import.html"
    # The library's second page takes the name of a temporary file from the browser.
    skip_import_confirm = True

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write the form's columns only: somebody may be setting the status at this moment."""
        if not change:
            super().save_model(request, obj, form, change)
            author = request.user.get_username()
            book_new_site(obj, author=author, reason="created", now=database_now())
            return
        columns = {column.name for column in obj._meta.concrete_fields}
        obj.save(update_fields=columns & form.cleaned_data.keys())

    def get_export_queryset(self, request: HttpRequest) -> Any:
        return super().get_export_queryset(request).prefetch_related("vos")

    def get_data_for_export(self, request: HttpRequest, queryset: Any, **kwargs: Any) -> Any:
        """Numbers stay numbers in JSON."""
        return super().get_data_for_export(
            request, queryset, **kwargs | {"force_native_type": True}
        )

    def get_import_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_import_context_data(**kwargs) | {"columns": READ}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        reason = kwargs["form"].cleaned_data["reason"]
        return super().get_import_data_kwargs(**kwargs) | {"reason": reason}

    def add_data_read_fail_error_to_form(self, form: Any, e: Exception) -> None:
        if not isinstance(e, BadSheet):
            raise e
        form.add_error("import_file", str(e))

    def process_dataset(self, dataset: Any, form: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The result of the import, which is undone when it was to be checked only."""
        with transaction.atomic():
            result = super().process_dataset(dataset, form, request, **kwargs)
            result.only_checked = form.cleaned_data["only_check"]
            transaction.set_rollback(result.only_checked)
        return result

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        if not result.only_checked:
            return super().process_result(result, request)
        totals = ", ".join(f"{n} {kind}" for kind, n in result.totals.items() if n)
        text = f"Checked: no fault ({totals}). Nothing was imported."
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:brokerage_site_import"))


@admin.register(SiteStatusChange)
class SiteStatusChangeAdmin(BigTableAdmin):
    list_display = ["at", "site", "from_status", "to_status", "author", "reason"]
    list_filter = ["to_status", "site"]
    list_select_related = ["site"]
    search_fields = ["site__name", "author", "reason"]
