"""The tables of prodDB. They know no row of ours but by number, so that views can stand for them.

No foreign keys either: an existing production database keeps its own order (docs/proddb.md).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from jobs.proddb.states import ProdState

STATES = [(state.value, state.value) for state in ProdState]
OPEN = (ProdState.TOBEDONE, ProdState.TOBEABORTED)  # what Bamboo looks for


class TaskRequest(models.Model):
    """A task that production wants done.

    With `parameters` the tasks engine makes its jobs; without, they stand in job definitions.
    """

    request_id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255)
    owner = models.CharField(max_length=150)
    vo = models.CharField(max_length=32)
    working_group = models.CharField(max_length=64, blank=True)
    processing_type = models.CharField(max_length=64, blank=True)
    campaign = models.CharField(max_length=128, blank=True)
    parent_id = models.BigIntegerField(null=True, help_text="the request whose output it reads")
    priority = models.IntegerField(default=500)
    cloud = models.CharField(max_length=16, blank=True, help_text="empty = Bamboo chooses")
    input_dataset = models.CharField(max_length=255, blank=True)
    validation = models.BooleanField(default=False)
    parameters = models.JSONField(null=True)
    created_at = models.DateTimeField()
    # What Bamboo answers.
    state = models.CharField(max_length=12, choices=STATES, default=ProdState.TOBEDONE)
    reason = models.TextField(blank=True)
    task_id = models.BigIntegerField(null=True, help_text="taskID")
    given_cloud = models.CharField(max_length=16, blank=True)
    jobs_total = models.IntegerField(default=0)
    jobs_finished = models.IntegerField(default=0)
    jobs_failed = models.IntegerField(default=0)
    files_done = models.IntegerField(default=0)
    written_at = models.DateTimeField(null=True, help_text="when Bamboo last wrote here")

    class Meta:
        ordering = ["request_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in ProdState]), name="proddb_task_state_known"
            ),
        ]
        # each cycle: what is to be taken or aborted
        indexes = [
            models.Index(
                fields=["state", "request_id"], condition=Q(state__in=OPEN), name="task_to_do"
            )
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.name}"


class JobDefinition(models.Model):
    """A job of a task. `details`: the rest of what a submission says, in the words of REST."""

    definition_id = models.BigAutoField(primary_key=True)
    request_id = models.BigIntegerField()
    name = models.CharField(max_length=255)
    transformation = models.CharField(max_length=255)
    parameters = models.TextField(blank=True)
    events = models.BigIntegerField(null=True)
    priority = models.IntegerField(null=True, help_text="empty = that of the task")
    details = models.JSONField(default=dict)
    # What Bamboo answers.
    state = models.CharField(max_length=12, choices=STATES, default=ProdState.TOBEDONE)
    reason = models.TextField(blank=True)
    panda_id = models.BigIntegerField(null=True, help_text="PandaID of its latest job")
    panda_state = models.CharField(max_length=12, blank=True, help_text="the state of that job")
    written_at = models.DateTimeField(null=True, help_text="when Bamboo last wrote here")

    class Meta:
        ordering = ["definition_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in ProdState]),
                name="proddb_definition_state_known",
            ),
        ]
        indexes = [
            # each cycle: what is to be submitted or aborted
            models.Index(
                fields=["state", "definition_id"],
                condition=Q(state__in=OPEN),
                name="definition_to_do",
            ),
            # what is left of a task, and all of a task that is aborted
            models.Index(fields=["request_id", "state"], name="definition_of_task"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} {self.name}"


class StateChange(models.Model):
    """The outbox: each state that Bamboo has written, once, in the order of writing.

    Programs of production read on from the `change_id` that they have come to.
    """

    class Kind(models.TextChoices):
        TASK = "task"
        JOB = "job"

    change_id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=4, choices=Kind)
    subject_id = models.BigIntegerField(help_text="request_id or definition_id")
    panda_id = models.BigIntegerField(default=0, help_text="of a job; else 0")
    seq = models.IntegerField(default=0, help_text="number of the change; 0 = made in prodDB alone")
    state = models.CharField(max_length=12, choices=STATES)
    panda_state = models.CharField(max_length=12, blank=True)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["change_id"]
        constraints = [
            # a cycle that was killed before it could note what it wrote writes it again: once here
            models.UniqueConstraint(
                fields=["kind", "subject_id", "panda_id", "seq"],
                condition=Q(seq__gt=0),
                name="state_change_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}: {self.state}"
