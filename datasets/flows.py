"""What moved, what failed and what waits, added up; and how full storage was. Written by sums."""

from __future__ import annotations

from django.db import models

STORAGE = "datasets.StorageElement"


class Flow(models.Model):
    """What all sums of transfers are by. No source: none was chosen, or none was needed."""

    source = models.ForeignKey(
        STORAGE, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    destination = models.ForeignKey(
        STORAGE, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    activity = models.CharField(max_length=32)
    vo = models.CharField("VO", max_length=64)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.source_id} -> {self.destination_id}, {self.activity}"


class Ended(Flow):
    """What came of the transfers of a time."""

    done = models.IntegerField()
    failed = models.IntegerField(help_text="given up")
    tries = models.IntegerField(help_text="that failed, also of those that arrived in the end")
    bytes = models.BigIntegerField()
    seconds = models.FloatField(help_text="of copying, of those that arrived")

    class Meta(Flow.Meta):
        abstract = True


class TransferSum(Ended):
    """Transfers that ended within an hour."""

    hour = models.DateTimeField()

    class Meta:
        constraints = [
            # a window of hours is a range of it
            models.UniqueConstraint(
                fields=["hour", "destination", "source", "activity", "vo"],
                nulls_distinct=False,
                name="transfer_sum_once",
            )
        ]


class TransferDay(Ended):
    """The same of days (UTC), of today so far: a window of a week asks for these."""

    hour = models.DateTimeField("day", help_text="its midnight")

    class Meta:
        constraints = [
            # a window of days is a range of it
            models.UniqueConstraint(
                fields=["hour", "destination", "source", "activity", "vo"],
                nulls_distinct=False,
                name="transfer_day_once",
            )
        ]


class TransferFailure(Flow):
    """Transfers that were given up within an hour, by the reason; with one of the errors."""

    hour = models.DateTimeField()
    reason = models.CharField(max_length=32)
    n = models.IntegerField()
    sample = models.CharField(max_length=500)
    transfer = models.BigIntegerField(help_text="whose error the sample is")
    latest = models.DateTimeField()

    class Meta:
        constraints = [
            # a window of hours is a range of it
            models.UniqueConstraint(
                fields=["hour", "destination", "source", "activity", "vo", "reason"],
                nulls_distinct=False,
                name="transfer_failure_once",
            )
        ]


class TransferQueue(Flow):
    """Transfers that have not ended, by the reason of their last failed try ('' = none failed)."""

    state = models.CharField(max_length=8)
    reason = models.CharField(max_length=32)
    n = models.IntegerField()
    bytes = models.BigIntegerField(help_text="of the files")
    oldest = models.DateTimeField()
    stuck = models.IntegerField(help_text="for more than a day")
    sample = models.CharField(max_length=500)

    class Meta:
        constraints = [
            # two rounds at once write it once
            models.UniqueConstraint(
                fields=["destination", "source", "activity", "vo", "state", "reason"],
                nulls_distinct=False,
                name="transfer_queue_once",
            )
        ]


class SpaceSample(models.Model):
    """How full a storage element was within an hour, at the last look."""

    storage = models.ForeignKey(
        STORAGE, on_delete=models.CASCADE, related_name="samples", db_index=False
    )
    hour = models.DateTimeField()
    capacity_bytes = models.BigIntegerField()
    free_bytes = models.BigIntegerField()

    class Meta:
        constraints = [
            # its history is a range of it
            models.UniqueConstraint(fields=["storage", "hour"], name="space_sample_once")
        ]
        indexes = [
            # housekeeping takes the oldest away; the history of all together
            models.Index(fields=["hour"], name="space_sample_hour")
        ]

    def __str__(self) -> str:
        return f"{self.storage} at {self.hour}"
