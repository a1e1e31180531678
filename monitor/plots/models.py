"""Roll-ups: what the plots are drawn from. One sweep writes them (rollup.py), pages read them.

A row is a bucket of time of a place: the whole grid (cloud_id and site_id 0), a cloud (site_id 0),
or a site (cloud_id 0). The grid has a row for every bucket that was looked at, so that a place
without a row had nothing, and a bucket without one is unknown. Buckets grow with their age.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from jobs.states import LIVE


class Roll(models.Model):
    """A bucket of `span` seconds that begins at `start`, of a place."""

    span = models.IntegerField()
    start = models.DateTimeField()
    cloud_id = models.BigIntegerField(default=0)
    site_id = models.BigIntegerField(default=0)

    # what the sweep adds up when buckets become one
    SUMS: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True


class LiveRoll(Roll):
    """Jobs in each state, the mean of `samples` looks; one look a row at the finest span."""

    samples = models.IntegerField(default=1)
    defined = models.FloatField(default=0)
    waiting = models.FloatField(default=0)
    assigned = models.FloatField(default=0)
    activated = models.FloatField(default=0)
    sent = models.FloatField(default=0)
    starting = models.FloatField(default=0)
    running = models.FloatField(default=0)
    holding = models.FloatField(default=0)
    transferring = models.FloatField(default=0)

    STATES: ClassVar[tuple[str, ...]] = tuple(state.value for state in LIVE)

    class Meta:
        # the plots: the buckets of a place in their order
        constraints = [
            models.UniqueConstraint(
                fields=["cloud_id", "site_id", "span", "start"], name="live_roll_once"
            )
        ]
        # the sweep: buckets that are old enough to become one
        indexes = [models.Index(fields=["span", "start"], name="live_roll_start")]

    def __str__(self) -> str:
        return f"{self.running:g} running"


class EndedRoll(Roll):
    """What ended within the bucket; times in s, sizes in bytes.

    wall: from start to end of the jobs; cores: the same times their cores, which `cpu` is a part
    of. handed and calls: jobs that pilots were given, and how often they asked. Transfers count at
    the first site that writes to their destination.
    """

    finished = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    payload_failed = models.BigIntegerField(default=0)
    wall_seconds = models.BigIntegerField(default=0)
    core_seconds = models.BigIntegerField(default=0)
    cpu_seconds = models.BigIntegerField(default=0)
    handed = models.BigIntegerField(default=0)
    calls = models.BigIntegerField(default=0)
    moved_bytes = models.BigIntegerField(default=0)
    transfers = models.BigIntegerField(default=0)
    transfers_failed = models.BigIntegerField(default=0)

    SUMS = (
        "finished", "failed", "cancelled", "payload_failed", "wall_seconds", "core_seconds",
        "cpu_seconds", "handed", "calls", "moved_bytes", "transfers", "transfers_failed",
    )  # fmt: skip

    class Meta:
        # the plots: the buckets of a place in their order
        constraints = [
            models.UniqueConstraint(
                fields=["cloud_id", "site_id", "span", "start"], name="ended_roll_once"
            )
        ]
        # the sweep: buckets that are old enough to become one, and parts of hours
        indexes = [models.Index(fields=["span", "start"], name="ended_roll_start")]

    def __str__(self) -> str:
        return f"{self.finished} finished, {self.failed} failed"


class SpreadRoll(Roll):
    """How long things took: how many in each bin of buckets.EDGES.

    what: `queue` (birth to start), `wall` (start to end), or the name of a state that the jobs
    were in, each time that they were.
    """

    what = models.CharField(max_length=12)
    bins = ArrayField(models.IntegerField())

    class Meta:
        # the plots: the buckets of a place in their order
        constraints = [
            models.UniqueConstraint(
                fields=["cloud_id", "site_id", "what", "span", "start"], name="spread_roll_once"
            )
        ]
        # the sweep: buckets that are old enough to become one
        indexes = [models.Index(fields=["span", "start"], name="spread_roll_start")]

    def __str__(self) -> str:
        return f"{self.what}: {sum(self.bins)}"
