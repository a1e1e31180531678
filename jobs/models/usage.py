"""What was used by whom: summaries of ended and live jobs that sweeps keep, and quotas.

Pages add these up instead of jobs; jobs/usage.py and jobs/tally.py write them.
"""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

HOUR, DAY = 1, 24


class UsageBook(models.Model):
    """How far the summaries of ended jobs reach; one row.

    Every job that ended in `since` <= t < `until` is in them for good; the hours from `until` on
    are added up anew by each round.
    """

    since = models.DateTimeField()
    until = models.DateTimeField()
    kept_from = models.DateTimeField(null=True, help_text="rows of days before are forgotten")

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"


class _Used(models.Model):
    """Jobs that ended, their wall and CPU time (s), and when the last of them ended.

    The wall time is that of the last attempt, from its start to when it left `running`.
    """

    site_id = models.BigIntegerField(help_text="0 = none")
    finished = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    wall_s = models.BigIntegerField(default=0)
    cpu_s = models.BigIntegerField(default=0)
    latest = models.DateTimeField()

    class Meta:
        abstract = True


class Usage(_Used):
    """Jobs that ended in a span of `hours` (1, or 24 for days gone by), by who, where and what."""

    since = models.DateTimeField()
    hours = models.PositiveSmallIntegerField(choices=[(HOUR, "an hour"), (DAY, "a day")])
    user = models.CharField(max_length=250, help_text="prodUserID")
    working_group = models.CharField(max_length=64)
    label = models.CharField("prodSourceLabel", max_length=20)

    KEY: ClassVar = ("since", "hours", "user", "working_group", "site_id", "label")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["since", "hours", "user", "working_group", "site_id", "label"],
                name="usage_once",
            )
        ]
        # the page of a user
        indexes = [models.Index(fields=["user", "since"], name="usage_user")]

    def __str__(self) -> str:
        return f"{self.user} at {self.site_id} since {self.since:%Y-%m-%d %H:%M}"


class TaskUsage(_Used):
    """Jobs of a task that ended at a site in an hour; `since` is 1970 for older hours together.

    `lost` are jobs that ended without success and have no successor, `inputs_lost` their input
    files; `inputs_done` are those of finished jobs.
    """

    since = models.DateTimeField()
    task_id = models.BigIntegerField()
    lost = models.BigIntegerField(default=0)
    inputs_done = models.BigIntegerField(default=0)
    inputs_lost = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task_id", "site_id", "since"], name="task_usage_once")
        ]
        # jobs.usage: an hour that is added up anew, and those that are merged
        indexes = [models.Index(fields=["since"], name="task_usage_since")]

    def __str__(self) -> str:
        return f"task {self.task_id} at {self.site_id} since {self.since:%Y-%m-%d %H:%M}"


class LiveTally(models.Model):
    """How many jobs that have not ended there were, as of the last round of jobs.tally_live.

    0 and '' stand for none. `inputs` counts the input files of jobs that belong to a task.
    """

    user = models.CharField(max_length=250)
    working_group = models.CharField(max_length=64)
    task_id = models.BigIntegerField()
    cloud_id = models.BigIntegerField()
    site_id = models.BigIntegerField()
    label = models.CharField(max_length=20)
    processing_type = models.CharField(max_length=64, default="", db_default="")
    state = models.CharField(max_length=12)
    n = models.BigIntegerField()
    inputs = models.BigIntegerField()
    latest = models.DateTimeField(help_text="last change of a state")

    class Meta:
        indexes = [
            # the page of a user, the page of a task
            models.Index(fields=["user"], name="live_tally_user"),
            models.Index(fields=["task_id"], name="live_tally_task"),
        ]

    def __str__(self) -> str:
        return f"{self.n} {self.state} of {self.user}"


class FactoryTally(models.Model):
    """Pilots of a factory at a site within a day, as of the last round of jobs.tally_live."""

    factory = models.CharField(max_length=64)
    site_id = models.BigIntegerField()
    pilots = models.BigIntegerField(help_text="that called within 24 hours")
    lately = models.BigIntegerField(help_text="that called within 3 hours")
    idle = models.BigIntegerField(help_text="of those within 24 hours: never had a job")
    calls = models.BigIntegerField(help_text="requests for work in the life of these pilots")
    jobs = models.BigIntegerField(help_text="jobs they were given")
    latest = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["factory", "site_id"], name="factory_tally_once")
        ]

    def __str__(self) -> str:
        return f"{self.factory} at {self.site_id}"


class UsageQuota(models.Model):
    """The CPU hours that a user or a working group may use.

    Those of 30 days are shown; those of a day act (jobs/quotas.py): beyond them jobs have a lower
    priority, or wait where the limit is hard.
    """

    class Kind(models.TextChoices):
        USER = "user", "user (prodUserID)"
        GROUP = "group", "working group"

    kind = models.CharField(max_length=5, choices=Kind, default=Kind.USER)
    name = models.CharField(max_length=250, help_text="as jobs name it")
    cpu_hours = models.FloatField(
        "CPU hours in 30 days", validators=[MinValueValidator(0.0)], help_text="0 = nothing at all"
    )
    cpu_hours_day = models.FloatField(
        "CPU hours in a day",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0)],
        help_text="empty = any number; who used more has a lower priority",
    )
    hard = models.BooleanField(
        "hard limit", default=False, help_text="who used the CPU hours of a day waits"
    )
    priority_offset = models.IntegerField(
        default=0,
        validators=[MinValueValidator(-10_000), MaxValueValidator(10_000)],
        help_text="added to the priority of user jobs",
    )
    note = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], name="quota_once"),
            models.CheckConstraint(condition=Q(cpu_hours__gte=0), name="quota_not_negative"),
            models.CheckConstraint(
                condition=Q(cpu_hours_day=None) | Q(cpu_hours_day__gte=0),
                name="quota_of_day_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(hard=False) | Q(cpu_hours_day__isnull=False),
                name="quota_hard_has_a_limit",
                violation_error_message="A hard limit needs the CPU hours in a day.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.cpu_hours:g} CPU hours"
