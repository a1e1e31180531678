"""Tasks and jobs: looked at here, moved by deeds only, deleted by nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from jobs import services
from jobs.labels import LABELS
from jobs.models import (
    ERROR_COMPONENTS,
    AnyJob,
    AnyJobEvent,
    AnyJobFile,
    Job,
    Task,
    TaskDataset,
    TaskEvent,
)
from jobs.states import LEASED
from pandasite.base.admin_kit import RECENT, BigTableAdmin, ReadOnlyInline, recent
from pandasite.base.deeds import Deed, Order
from pandasite.base.errors import IllegalMove


def _kill(job: AnyJob, order: Order) -> str:
    state = services.kill(job.pk, actor=order.name, reason=order.reason, now=order.now)
    return "its pilot is told to end it" if state in LEASED else f"{state}"


def _rebroker(job: AnyJob, order: Order) -> str:
    moved = services.rebroker(
        Job.objects.filter(pk=job.pk),
        actor=order.name,
        now=order.now,
        reason={"reason": order.reason},
    )
    if not moved:
        raise IllegalMove(f"it is {job.state}; only assigned and activated jobs lose their site")
    return "back to brokerage"


def _number(job: AnyJob) -> str:
    return f"job {job.pk}"


KILL = Deed(
    name="kill",
    label="Kill…",
    permission="jobs.kill_any_job",
    apply=_kill,
    explain="Jobs without a pilot are cancelled at once; the others end at their pilot's next"
    " heartbeat.",
    audit="job_kill",
    subject=_number,
)
REBROKER = Deed(
    name="rebroker",
    label="Broker again…",
    permission="jobs.kill_any_job",
    apply=_rebroker,
    explain="Assigned and activated jobs go back to brokerage, which chooses a site anew; a site"
    " that the submitter named stays.",
    audit="job_rebroker",
    subject=_number,
)


class TaskEventInline(ReadOnlyInline):
    model = TaskEvent
    fields = ["seq", "at", "from_state", "to_state", "actor", "reason"]


class TaskDatasetInline(ReadOnlyInline):
    model = TaskDataset
    fields = ["role", "place", "dataset"]
    raw_id_fields = ["dataset"]


@admin.register(Task)
class TaskAdmin(BigTableAdmin):
    list_display = [
        "task_id",
        "name",
        "state",
        "owner",
        "vo",
        "working_group",
        "priority",
        "cloud",
        "created_at",
    ]
    list_filter = ["state", "vo", "cloud"]
    list_select_related = ["owner", "vo", "cloud"]
    raw_id_fields = ["parent"]
    inlines = [TaskEventInline, TaskDatasetInline]
    search_fields = ["name__startswith", "owner__username__exact"]
    search_help_text = "By taskID, the beginning of the name, or the owner."
    number_field = "pk"


class LabelFilter(admin.SimpleListFilter):
    """By the labels there are; to ask the table for them would read all of it."""

    title = "prodSourceLabel"
    parameter_name = "prod_source_label"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(label, label) for label in LABELS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(prod_source_label=value)


class SeenAsLive:
    """Rows of both sides: who may see the live ones may see them all."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        live = self.model.live._meta  # type: ignore[attr-defined]
        return request.user.has_perm(f"{live.app_label}.view_{live.model_name}")


class JobEventInline(SeenAsLive, ReadOnlyInline):
    model = AnyJobEvent
    fields = ["seq", "at", "attempt_nr", "from_state", "to_state", "actor", "reason"]


class JobFileInline(SeenAsLive, ReadOnlyInline):
    model = AnyJobFile
    fields = ["type", "scope", "lfn", "dataset", "block", "status", "size", "adler32"]
    raw_id_fields = ["dataset", "block"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AnyJobFile]:
        return super().get_queryset(request).select_related("dataset", "block")


@admin.register(AnyJob)
class JobAdmin(SeenAsLive, BigTableAdmin):
    list_display = [
        "panda_id",
        "job_name",
        "state",
        "prod_source_label",
        "cloud",
        "computing_site",
        "owner",
        "current_priority",
        "attempt_nr",
        "state_change_time",
    ]
    list_filter = ["state", LabelFilter, "cloud", "computing_site", "vo"]
    list_select_related = ["cloud", "computing_site", "owner"]
    search_fields = ["job_name__startswith", "owner__username__exact"]
    search_help_text = "By PandaID, the beginning of jobName, or the owner."
    number_field = "pk"
    inlines = [JobEventInline, JobFileInline]
    deeds = [KILL, REBROKER]
    readonly_fields = ["successor", "stdout_tail"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("panda_id", "state", "attempt_nr", "max_attempt"),
                    ("job_name", "job_definition_id", "task"),
                    ("prod_source_label", "processing_type", "working_group"),
                    ("owner", "prod_user_id", "vo"),
                    ("retry_of", "successor"),
                ]
            },
        ),
        (
            "Where",
            {
                "fields": [
                    ("cloud", "cloud_fixed", "computing_site", "site_fixed"),
                    ("destination_se", "decision", "rebroker_count"),
                    ("prod_d_block", "dispatch_d_block", "destination_d_block"),
                    ("pilot", "node", "lease_until"),
                    ("command", "command_attempt", "command_reason", "verdict"),
                ]
            },
        ),
        (
            "What it runs and needs",
            {
                "fields": [
                    ("transformation", "atlas_release", "homepackage", "cmt_config"),
                    "job_parameters",
                    ("assigned_priority", "current_priority", "core_count"),
                    ("min_ram_count", "max_disk_count", "max_cpu_count", "min_cpu_speed"),
                ]
            },
        ),
        (
            "Times and use",
            {
                "fields": [
                    ("creation_time", "state_change_time", "modification_time"),
                    ("start_time", "end_time"),
                    ("cpu_consumption_time", "max_rss_mb", "trans_exit_code"),
                ]
            },
        ),
        (
            "Errors",
            {"fields": [(f"{c}_error_code", f"{c}_error_diag") for c in ERROR_COMPONENTS]},
        ),
        ("Output", {"fields": ["stdout_tail"], "classes": ["collapse"]}),
    ]

    @admin.display(description="successor")
    def successor(self, job: AnyJob) -> str:
        pk = AnyJob.objects.filter(retry_of=job.pk).values_list("pk", flat=True).first()
        if pk is None:
            return "-"
        page = reverse("admin:jobs_anyjob_change", args=[pk])
        return format_html('<a href="{}">{}</a>', page, pk)

    @admin.display(description="end of stdout")
    def stdout_tail(self, job: AnyJob) -> str:
        output = job.output
        return format_html("<pre>{}</pre>", output.as_text()) if output else "-"


@admin.register(AnyJobEvent)
class JobEventAdmin(SeenAsLive, BigTableAdmin):
    list_display = ["at", "job_id", "attempt_nr", "from_state", "to_state", "actor"]
    list_filter = [recent("to_state", "to state")]
    search_help_text = f"By PandaID; by actor, whole, among the last {RECENT:,}."
    search_fields = ["actor__exact"]
    search_recent = True
    number_field = "job_id"
    # Not the job itself: a link costs a query per row.
    fields = ["job_id", "seq", "attempt_nr", "from_state", "to_state", "actor", "at", "reason"]
    readonly_fields = ["job_id"]


@admin.register(AnyJobFile)
class JobFileAdmin(SeenAsLive, BigTableAdmin):
    list_display = ["lfn", "job_id", "type", "status", "dataset", "size"]
    list_select_related = ["dataset"]
    list_filter = ["type", "status"]
    search_fields = ["lfn__startswith"]
    search_help_text = "By PandaID, or by the beginning of the LFN."
    number_field = "job_id"
