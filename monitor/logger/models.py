"""Log lines that the monitor shows."""

from __future__ import annotations

from django.db import models


class LogEvent(models.Model):
    """A line of the log of some process: written in batches, forgotten after EVENT_DAYS."""

    at = models.DateTimeField()
    kind = models.CharField(max_length=12, help_text="what part of the system it is about")
    level = models.PositiveSmallIntegerField(help_text="as logging has it: 20 is INFO")
    logger = models.CharField(max_length=100)
    event = models.CharField(max_length=500)
    facts = models.JSONField(default=dict)
    host = models.CharField(max_length=128)
    process = models.IntegerField()
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the numbers by kind and level of a window, and what is too old
            models.Index(fields=["at", "kind", "level"], name="log_event_window"),
            # the list of a kind, newest first
            models.Index(fields=["kind", "-id"], name="log_event_kind"),
            # the list of warnings or of errors, newest first; most lines are neither
            models.Index(
                fields=["-id"], condition=models.Q(level__gte=30), name="log_event_warning"
            ),
            # the lamp of the logger: what it says itself, of late
            models.Index(
                fields=["at"],
                condition=models.Q(logger="monitor.logger"),
                name="log_event_of_logger",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.logger}: {self.event}"
