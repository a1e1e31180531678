"""A task: jobs that belong together, as its owner sees them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from brokerage.models import VO

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

    class Meta:
        ordering = ["-task_id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="task_name_once_per_owner")
        ]
        # quick search: tasks by how their name begins
        indexes = [
            models.Index(fields=["name"], opclasses=["text_pattern_ops"], name="task_name_begins")
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.name}"
