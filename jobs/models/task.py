"""A task: jobs that belong together, as its owner sees them.

Most are carried by the engine (jobs/tasks_engine), which makes their jobs. Those whose `state` is
empty only group jobs that were submitted with a task's name: nobody moves them.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokerage.models import VO, Cloud, Site
from jobs.tasks_engine.states import AT_WORK, FINAL, TaskState

FIRST_TASK_ID = 10_000_001  # existing clients take smaller numbers for something else


class Task(models.Model):
    """Jobs that make one result. taskID counts from 10,000,001 on."""

    task_id = models.BigAutoField("taskID", primary_key=True)
    name = models.CharField(max_length=255)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tasks"
    )
    vo = models.ForeignKey(VO, null=True, blank=True, on_delete=models.PROTECT, verbose_name="VO")
    working_group = models.CharField(max_length=64, blank=True)
    processing_type = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    # From here on it is for the engine alone.
    state = models.CharField(
        max_length=12,
        blank=True,
        default="",
        db_default="",
        choices=[(s.value, s.value) for s in TaskState],
        help_text="empty: it only groups jobs",
    )
    old_state = models.CharField(
        max_length=12, blank=True, default="", db_default="", help_text="where a pause goes back to"
    )
    state_changed_at = models.DateTimeField(null=True, blank=True)
    state_reason = models.TextField(
        blank=True, default="", db_default="", help_text="of the last move, or what it waits for"
    )
    event_seq = models.IntegerField(default=0, db_default=0, help_text="number of its last event")
    looked_at = models.DateTimeField(null=True, blank=True, help_text="by the engine, last")

    prod_source_label = models.CharField(max_length=20, blank=True, default="", db_default="")
    priority = models.IntegerField(default=0, db_default=0)
    campaign = models.CharField(max_length=64, blank=True, default="", db_default="")
    request_id = models.BigIntegerField("request", null=True, blank=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    transformation = models.CharField(max_length=255, blank=True, default="", db_default="")
    tag = models.CharField(max_length=64, blank=True, default="", db_default="")
    cloud = models.ForeignKey(
        Cloud, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    site = models.ForeignKey(
        Site, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    spec = models.JSONField(default=dict, db_default={}, help_text="the request, as a TaskSpec")
    spec_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    measured = models.JSONField(
        default=dict, db_default={}, help_text="what scouts came to, and what was made of it"
    )

    cut_short = models.BooleanField(
        default=False, db_default=False, help_text="somebody told it to finish with what it has"
    )

    inputs_forgotten_at = models.DateTimeField(
        null=True, blank=True, help_text="when the list of the files that it read was dropped"
    )

    # Progress, kept in the transactions that change it.
    input_open = models.BooleanField(
        default=False, db_default=False, help_text="more input may still come"
    )
    events = models.BigIntegerField(default=0, db_default=0, help_text="of all its work so far")
    events_cut = models.BigIntegerField(default=0, db_default=0, help_text="that are in pieces")
    events_done = models.BigIntegerField(default=0, db_default=0)
    inputs = models.BigIntegerField(default=0, db_default=0, help_text="primary input files so far")
    inputs_done = models.BigIntegerField(default=0, db_default=0)
    inputs_failed = models.BigIntegerField(default=0, db_default=0)
    pieces = models.IntegerField(default=0, db_default=0, help_text="of work, without merging")
    pieces_done = models.IntegerField(default=0, db_default=0)
    pieces_failed = models.IntegerField(default=0, db_default=0)
    merges = models.IntegerField(default=0, db_default=0, help_text="pieces that merge")
    merges_done = models.IntegerField(default=0, db_default=0)
    merges_failed = models.IntegerField(default=0, db_default=0)
    began_at = models.DateTimeField(null=True, blank=True, help_text="its first jobs were made")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-task_id"]
        permissions = [("manage_any_task", "Can kill, pause, retry and reorder tasks of others")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="task_name_once_per_owner"),
            models.CheckConstraint(
                condition=Q(state__in=["", *(s.value for s in TaskState)]), name="task_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=FINAL, ended_at__isnull=False)
                | (~Q(state__in=FINAL) & Q(ended_at__isnull=True)),
                name="task_ended_iff_final",
            ),
        ]
        indexes = [
            # quick search: tasks by how their name begins
            models.Index(fields=["name"], opclasses=["text_pattern_ops"], name="task_name_begins"),
            # the engine's round: those at work, the longest not looked at first
            models.Index(
                models.F("looked_at").asc(nulls_first=True),
                "task_id",
                condition=Q(state__in=AT_WORK),
                name="task_to_look_at",
            ),
            # lists by state, newest first; Bamboo: those that wait for a cloud
            models.Index(
                fields=["state", "-task_id"], condition=~Q(state=""), name="task_by_state"
            ),
            # housekeeping: ended tasks whose list of input is kept, those that ended first before
            models.Index(
                fields=["ended_at"],
                condition=Q(inputs_forgotten_at=None, ended_at__isnull=False)
                & (Q(inputs__gt=0) | Q(merges__gt=0)),
                name="task_inputs_kept",
            ),
            # the page of a tag: its tasks, newest first; whether a tag is used
            models.Index(fields=["tag", "-task_id"], condition=~Q(tag=""), name="task_by_tag"),
            # the tasks of a request, newest first: their list, quick search
            models.Index(
                fields=["request_id", "-task_id"],
                condition=Q(request_id__isnull=False),
                name="task_by_request",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.name}"

    @property
    def is_grouping(self) -> bool:
        """Whether it only groups jobs, and no engine carries it."""
        return not self.state
