"""The name of a live job, apart from the job: what quick search looks through."""

from __future__ import annotations

from django.db import models


class JobName(models.Model):
    """One row for exactly the jobs in the live table; triggers keep it: jobs/sql/names.sql.

    The archive has an index of its own on names, which nobody who is in a hurry writes.
    """

    job_id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=255)

    class Meta:
        indexes = [
            # quick search: jobs by how their name begins, in the order of the names
            models.Index(
                fields=["name", "job_id"],
                opclasses=["text_pattern_ops", "int8_ops"],
                name="job_name_begins",
            )
        ]

    def __str__(self) -> str:
        return self.name
