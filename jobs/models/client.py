"""What is kept for PanDA's own client: what it asked for, and which jobs it wants to look into."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from jobs.models.task import Task


class ClientTask(models.Model):
    """The parameters of a task as its client sent them: it asks for them again."""

    task = models.OneToOneField(
        Task, primary_key=True, on_delete=models.CASCADE, related_name="client"
    )
    parameters = models.JSONField()

    def __str__(self) -> str:
        return f"parameters of task {self.task_id}"


class DebugMode(models.Model):
    """A job whose pilot is told to send more of the job's output, or no more of it."""

    # No constraint: the job moves to the archive.
    panda_id = models.BigIntegerField(primary_key=True)
    on = models.BooleanField()
    set_by = models.CharField(max_length=150)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(panda_id__gt=0), name="debug_mode_of_a_job")
        ]

    def __str__(self) -> str:
        return f"debug mode of {self.panda_id}: {'on' if self.on else 'off'}"
