"""Production shares: the tree that an administrator keeps, and what the sweep knows of it.

jobs/shares/ reads the tree, lifts the jobs whose turn it is, and keeps these rows.
"""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from jobs.models.usage import UsageQuota


class Share(models.Model):
    """A part of its parent's computing, for the jobs that have its working group and type.

    The percentages of the children of one parent add up to 100; a trigger holds it at the end of
    a transaction, and that no share is below itself (jobs/sql/share.sql). The one without a parent
    stands for all jobs.
    """

    name = models.CharField(max_length=64, unique=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    percent = models.FloatField(
        default=100,
        validators=[MinValueValidator(0.0), MaxValueValidator(100.0)],
        help_text="of its parent; the children of one parent add up to 100",
    )
    working_group = models.CharField(
        max_length=64, blank=True, help_text="of the jobs that belong to it; empty: any"
    )
    processing_type = models.CharField(
        max_length=64, blank=True, help_text="of the jobs that belong to it; empty: any"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__gte=0, percent__lte=100), name="share_percent_in_range"
            ),
            models.CheckConstraint(
                condition=Q(parent=None) | ~Q(parent=F("id")), name="share_not_its_own_parent"
            ),
            # jobs that differ in nothing belong to one of the children
            models.UniqueConstraint(
                fields=["parent", "working_group", "processing_type"],
                nulls_distinct=False,
                name="share_once_below_its_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ShareTally(models.Model):
    """What a leaf of the tree had at the last round of jobs.shares, in cores."""

    share = models.OneToOneField(
        Share, primary_key=True, on_delete=models.CASCADE, related_name="tally"
    )
    used = models.IntegerField(help_text="cores that pilots hold for its jobs")
    target = models.FloatField(help_text="cores that it should have, as long as others have work")
    waiting = models.IntegerField(help_text="activated jobs, as tallied")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.share}: {self.used} of {self.target:.0f} cores"


class ShareUse(models.Model):
    """Seconds of cores that a leaf had in an hour: cores of a round, until the next one."""

    share = models.ForeignKey(Share, on_delete=models.CASCADE, db_index=False, related_name="uses")
    hour = models.DateTimeField()
    core_s = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["share", "hour"], name="share_use_once")]

    def __str__(self) -> str:
        return f"{self.share}: {self.core_s} s in {self.hour:%Y-%m-%d %H}"


class PriorityLift(models.Model):
    """A job that waits with another currentPriority than its own.

    By the sweep: `given`, as long as it is among the first of its site; whatever leaves the queue
    has its own again (trigger jobs_job_unlifted). Set by hand: the sweep leaves it alone.
    """

    job_id = models.BigIntegerField(primary_key=True)
    share = models.ForeignKey(
        Share, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )
    own = models.IntegerField(help_text="its priority without the sweep")
    given = models.IntegerField()
    by_hand = models.BooleanField(default=False)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.job_id}: {self.own} -> {self.given}"


class QuotaHold(models.Model):
    """A user or working group over a hard limit, as of the last round of jobs.shares."""

    kind = models.CharField(max_length=5, choices=UsageQuota.Kind)
    name = models.CharField(max_length=250)
    used_hours = models.FloatField()
    limit_hours = models.FloatField()
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="quota_hold_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.used_hours:g} of {self.limit_hours:g} h"
