"""A job's files: inputs it needs, outputs it must make, its logs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from datasets.models import Dataset, File
from jobs.models.job import Job

# An output whose name belongs to its job as long as that lives.
IS_PROMISED = Q(type="output", status__in=["pending", "transferring"])
PROMISED = "output_promised_once"


class JobFileColumns(models.Model):
    """A file of a job: an input it needs, an output it must make, or its log."""

    class Type(models.TextChoices):
        INPUT = "input"
        OUTPUT = "output"
        LOG = "log"

    class Status(models.TextChoices):
        PENDING = "pending"  # input: not at the site yet; output: not made yet
        READY = "ready"  # input at the site; output registered in its dataset
        TRANSFERRING = "transferring"  # output on the way to its destination
        FAILED = "failed"

    type = models.CharField(max_length=6, choices=Type)
    scope = models.CharField(max_length=64)
    lfn = models.CharField("LFN", max_length=250)
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    block = models.ForeignKey(
        Dataset,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="job_files",
        help_text="dispatch block of an input, sub block of an output",
    )
    file = models.ForeignKey(
        File, null=True, blank=True, on_delete=models.PROTECT, related_name="job_files"
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    # what the pilot reported, until registration makes the catalogue's row of it
    guid = models.CharField("GUID", max_length=36, blank=True)
    size = models.BigIntegerField("size (bytes)", null=True, blank=True)
    adler32 = models.CharField(max_length=8, blank=True)
    events = models.BigIntegerField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.scope}:{self.lfn}"


class JobFile(JobFileColumns):
    """A file of a job that is not in the archive."""

    job = models.ForeignKey(
        Job,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="files",
        db_index=False,  # the unique key begins with it
    )

    class Meta(JobFileColumns.Meta):
        constraints = [
            models.UniqueConstraint(fields=["job", "scope", "lfn"], name="job_file_once"),
            # no two live jobs make one file: jobs/outputs.py
            models.UniqueConstraint(fields=["scope", "lfn"], condition=IS_PROMISED, name=PROMISED),
        ]
        indexes = [
            # waiting jobs look for files by name when new ones are registered; quick search for
            # those whose name begins so, in the order of the names
            models.Index(
                fields=["lfn", "id"],
                opclasses=["text_pattern_ops", "int8_ops"],
                name="job_file_lfn",
            )
        ]
