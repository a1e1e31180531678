"""What moves between storage elements, over which links, and how storage has behaved of late."""

from __future__ import annotations

import datetime as dt

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from datasets.states import ACTIVE_TRANSFERS, TransferState

STORAGE = "datasets.StorageElement"


class TransferQuerySet(models.QuerySet["Transfer"]):
    def active(self) -> TransferQuerySet:
        return self.filter(state__in=ACTIVE_TRANSFERS)

    def due(self, now: dt.datetime) -> TransferQuerySet:
        """Queued ones of the engine whose time has come."""
        return self.filter(state=TransferState.QUEUED, next_try_at__lte=now, carrier="")

    def abandoned(self, now: dt.datetime) -> TransferQuerySet:
        """Those whose worker has not spoken within its lease."""
        return self.filter(state=TransferState.COPYING, lease_until__lt=now)


class Transfer(models.Model):
    """The copy of one file to one storage element; at most one is active for the pair."""

    file = models.ForeignKey("datasets.File", on_delete=models.CASCADE, related_name="transfers")
    destination = models.ForeignKey(STORAGE, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(
        STORAGE, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(
        max_length=8,
        choices=[(state.value, state.value) for state in TransferState],
        default=TransferState.QUEUED,
    )
    # Those that came later have a default in the database: a worker of yesterday may still run.
    activity = models.CharField(max_length=32, default="production", db_default="production")
    priority = models.IntegerField(
        default=0, db_default=0, help_text="higher ones go first, in their activity"
    )
    vo = models.CharField("VO", max_length=64, blank=True, db_default="")
    carrier = models.CharField(
        max_length=8, blank=True, db_default="", help_text="mover or ddm; empty = the engine"
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    reason = models.CharField(
        max_length=32,
        blank=True,
        db_default="",
        help_text="the error in a few words, the same for its like",
    )
    permanent = models.BooleanField(
        default=False, help_text="given up for good: no further try could bring the file"
    )
    bytes_moved = models.BigIntegerField(default=0)
    proof = models.CharField(
        max_length=12,
        blank=True,
        db_default="",
        help_text="how it is known that what arrived is right",
    )
    bunch = models.UUIDField(
        null=True, blank=True, help_text="the files that one worker holds at a time"
    )
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["file", "destination"],
                condition=Q(state__in=ACTIVE_TRANSFERS),
                name="one_active_transfer",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ACTIVE_TRANSFERS, ended_at__isnull=True)
                | (~Q(state__in=ACTIVE_TRANSFERS) & Q(ended_at__isnull=False)),
                name="transfer_ended_iff_final",
            ),
        ]
        indexes = [
            # the engine asks whether anything is due; pages show what is, oldest first
            models.Index(fields=["next_try_at"], condition=Q(state="queued"), name="transfer_due"),
            # a worker takes the most urgent ones of each activity and destination
            models.Index(
                F("destination"),
                F("activity"),
                F("priority").desc(),
                F("next_try_at"),
                condition=Q(state="queued"),
                name="transfer_lane",
            ),
            # PandaMover asks for its own that are queued
            models.Index(
                fields=["carrier", "next_try_at"],
                condition=Q(state="queued") & ~Q(carrier=""),
                name="transfer_carried",
            ),
            # what is under way, for the limits of links and storage, and whose lease is over
            models.Index(
                fields=["lease_until"], condition=Q(state="copying"), name="transfer_copying"
            ),
            # pages list what has waited longest, in just this order, since a thousand transfers may
            # be of one moment; the first of it that is over a day old is stuck
            models.Index(
                fields=["created_at", "id"],
                condition=Q(state__in=ACTIVE_TRANSFERS),
                name="transfer_waiting",
            ),
            # the sweeps over jobs ask what has ended since they last looked; housekeeping, long ago
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="transfer_ended"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file} -> {self.destination}: {self.state}"


class Activity(models.Model):
    """What files are moved for; all that wait get their part of the copying by their shares.

    The row is made by the first bunch, or by an administrator who gives it another share.
    """

    name = models.CharField(max_length=32, unique=True)
    share = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    # What it was given of late, in bytes and a megabyte for each file; halves in five minutes.
    used = models.FloatField(default=0)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "activities"

    def __str__(self) -> str:
        return self.name


class Link(models.Model):
    """From one storage element to another: how many copies at once, and how well they went.

    The row is made by the first copy, or by an administrator who sets a limit.
    """

    source = models.ForeignKey(STORAGE, on_delete=models.CASCADE, related_name="links_out")
    destination = models.ForeignKey(STORAGE, on_delete=models.CASCADE, related_name="links_in")
    max_transfers = models.PositiveSmallIntegerField(
        "transfers at once", null=True, blank=True, help_text="empty = the default"
    )
    # Means that forget: each bunch of copies counts a quarter.
    success = models.FloatField(null=True, blank=True, help_text="part that arrived, 0 to 1")
    bytes_per_second = models.FloatField(null=True, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["source", "destination"]
        constraints = [
            models.UniqueConstraint(fields=["source", "destination"], name="link_once"),
            models.CheckConstraint(
                condition=Q(success__isnull=True) | Q(success__gte=0, success__lte=1),
                name="link_success_is_a_part",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination}"

    @property
    def megabytes(self) -> float | None:
        """MB/s (10^6 bytes), None where it was never measured."""
        return None if self.bytes_per_second is None else self.bytes_per_second / 1e6


class StorageHealth(models.Model):
    """How a storage element has answered: by what really happened, not by a probe."""

    storage = models.OneToOneField(
        STORAGE, primary_key=True, on_delete=models.CASCADE, related_name="health"
    )
    ok_at = models.DateTimeField("last success", null=True, blank=True)
    error_at = models.DateTimeField("last error", null=True, blank=True)
    error = models.TextField(blank=True)
    reason = models.CharField(max_length=32, blank=True)
    latency_ms = models.FloatField(
        null=True,
        blank=True,
        help_text="from question to first answer; a mean that forgets",
    )
    failing_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"health of {self.storage}"


class StageRequest(models.Model):
    """The wish to have a file of a tape element on its disk, where it can be read."""

    class State(models.TextChoices):
        REQUESTED = "requested"  # the tape is to be asked, or has been
        STAGED = "staged"  # it can be read
        FAILED = "failed"  # with the error; who still wants it asks anew

    file = models.ForeignKey(
        "datasets.File", on_delete=models.CASCADE, related_name="stage_requests"
    )
    storage = models.ForeignKey(STORAGE, on_delete=models.CASCADE, related_name="stage_requests")
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True, help_text="when the tape was asked")
    ticket = models.CharField(
        max_length=255, blank=True, db_default="", help_text="what the tape calls our request"
    )
    looked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # the sweep over tapes looks at these too
            models.UniqueConstraint(
                fields=["storage", "file"], condition=Q(state="requested"), name="staged_once"
            ),
            models.CheckConstraint(
                condition=Q(state="requested", ended_at__isnull=True)
                | (~Q(state="requested") & Q(ended_at__isnull=False)),
                name="stage_request_ended_iff_final",
            ),
        ]
        indexes = [
            # who waits for the callback asks what has ended since it last looked
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="stage_request_ended"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file} at {self.storage}: {self.state}"
