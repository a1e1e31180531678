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


class WeekStem(models.Model):
    """How names begin that a week of the archive has: jobs/sql/stems.sql tells, and keeps it.

    A stem without a name is no harm: the week is looked into in vain. Nor is one that is there
    twice, which nothing forbids, since two who move jobs would wait for each other.
    """

    kind = models.CharField(max_length=4, help_text="of names: job or file")
    stem = models.CharField(max_length=40, help_text="empty: of any name")
    week = models.DateTimeField(help_text="its first moment")

    class Meta:
        indexes = [
            # quick search: the weeks that may have a name; jobs_archive: is it noted?
            models.Index(
                fields=["kind", "stem", "week"],
                opclasses=["text_pattern_ops", "text_pattern_ops", "timestamptz_ops"],
                name="week_stem_begins",
            ),
            # a week that is dropped, or has too many
            models.Index(fields=["week", "kind"], name="week_stem_of_week"),
        ]

    def __str__(self) -> str:
        return f"{self.stem}… in {self.week:%Y-%m-%d}"
