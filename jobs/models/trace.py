"""What a job leaves behind: its history, and the end of its output."""

from __future__ import annotations

from django.db import models

from jobs.models.job import Job


class JobEventColumns(models.Model):
    """One state change: written in the transaction of the change, never altered."""

    seq = models.IntegerField()
    attempt_nr = models.IntegerField()
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField()
    reason = models.JSONField(default=dict)

    class Meta:
        abstract = True
        ordering = ["job_id", "seq"]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.from_state} -> {self.to_state}"  # type: ignore[attr-defined]


class JobEvent(JobEventColumns):
    """A state change of a job that is not in the archive."""

    job = models.ForeignKey(
        Job,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="events",
        db_index=False,  # the unique key begins with it
    )

    class Meta(JobEventColumns.Meta):
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="job_event_once")]


class JobOutputColumns(models.Model):
    """The end of a job's standard output as its pilot last sent it."""

    attempt_nr = models.IntegerField()
    tail = models.TextField()
    truncated = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"output of {self.pk}"

    def as_text(self) -> str:
        """The text with how old it is, for the job page."""
        return f"[attempt {self.attempt_nr}, {self.at:%Y-%m-%d %H:%M:%S} UTC]\n{self.tail}"


class JobOutput(JobOutputColumns):
    """The output of a job that is not in the archive."""

    job = models.OneToOneField(
        Job,
        primary_key=True,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="output",
    )
