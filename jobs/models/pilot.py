"""Pilots as far as the server knows them, and the accounts that their tokens belong to."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from brokerage.models import Site


class PilotAccount(models.Model):
    """Binds a user account to a site: its tokens may claim and report there, and nothing else."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pilot_account"
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="pilot_accounts")

    def __str__(self) -> str:
        return f"{self.user} at {self.site}"


class Pilot(models.Model):
    """A pilot that has asked for work: partial accounting, by what it said of itself."""

    pilot_id = models.CharField("pilotID", max_length=64)
    site = models.ForeignKey(
        Site,
        on_delete=models.CASCADE,
        related_name="pilots",
        db_index=False,  # the unique key begins with it
    )
    node = models.CharField(max_length=128)
    factory = models.CharField(max_length=64, blank=True)
    cpu_speed_mhz = models.IntegerField("CPU speed (MHz)", default=0)
    memory_mb = models.IntegerField("memory (MB)", default=0)
    free_disk_mb = models.IntegerField("free disk (MB)", default=0)
    first_contact = models.DateTimeField()
    last_contact = models.DateTimeField()
    last_report = models.DateTimeField(
        null=True,
        blank=True,
        help_text="its last heartbeat, to the hour, if it ever had a job",
    )
    claims = models.BigIntegerField(default=0)
    jobs = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-last_contact"]
        constraints = [
            models.UniqueConstraint(fields=["site", "pilot_id"], name="pilot_once_per_site")
        ]
        # No index on the times: each claim and many heartbeats write them.

    def __str__(self) -> str:
        return f"{self.pilot_id} ({self.node})"


class Node(models.Model):
    """A worker node that pilots were heard from: to the minute by claims, to ten by heartbeats.

    Written by jobs/sql/node.sql and report.sql; brokerage and dashboard count its rows, of which
    there are far fewer than pilots.
    """

    site = models.ForeignKey(
        Site,
        on_delete=models.CASCADE,
        related_name="nodes",
        db_index=False,  # the unique key begins with it
    )
    node = models.CharField(max_length=128)
    last_claim = models.DateTimeField(null=True)
    last_report = models.DateTimeField(null=True)
    pilots = models.IntegerField(
        default=1,
        db_default=1,
        help_text="that called within three hours, as of the last run of jobs.count_pilots",
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "node"], name="node_once_per_site")]
        # quick search: nodes by how their name begins
        indexes = [
            models.Index(fields=["node"], opclasses=["text_pattern_ops"], name="node_begins")
        ]

    def __str__(self) -> str:
        return f"{self.node} at {self.site}"
