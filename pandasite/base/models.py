"""The ground's own tables: when each sweep ran, which servers are there, who did what and why."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SweepRun(models.Model):
    """One row per sweep name, updated by each run: the dead-man switch of the background work."""

    name = models.CharField(max_length=64, unique=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ok = models.BooleanField(default=True)
    last_ok_at = models.DateTimeField(null=True, help_text="end of the last run that went through")
    rows = models.IntegerField(default=0, help_text="rows changed by the last run")
    runs = models.BigIntegerField(default=0)
    host = models.CharField(max_length=128, blank=True)
    error = models.TextField(blank=True)
    patient_until = models.DateTimeField(
        null=True, help_text="nobody's silence counts before: the site itself was away"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Patrol(models.Model):
    """How far a sweep has come that cannot look at all rows in one round (base/patrol.py)."""

    name = models.CharField(max_length=64, unique=True)
    after = models.BigIntegerField(help_text="the key that the last round came to; 0 = the end")
    news_until = models.DateTimeField(help_text="news from before this have been looked at")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ServerProcess(models.Model):
    """A process of the site that is there, renewed by itself (base/presence.py).

    A dozen rows, each written every 20 s: in place, since no index has what changes.
    """

    host = models.CharField(max_length=128)
    role = models.CharField(max_length=16, help_text="web or worker")
    work = models.CharField(max_length=64, blank=True, help_text="the queues of a worker")
    pid = models.IntegerField()
    version = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    memory_mb = models.IntegerField(default=0)
    broker_ms = models.FloatField(null=True, help_text="empty = the broker did not answer it")

    class Meta:
        ordering = ["host", "role", "work", "pid"]
        constraints = [
            models.UniqueConstraint(fields=["host", "role", "pid"], name="server_process_once")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pid} on {self.host}"


class AuditLine(models.Model):
    """Who did what to which thing, and why. Only ever added to."""

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=255)
    reason = models.TextField()
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.subject}"
