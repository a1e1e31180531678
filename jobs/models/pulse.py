"""The pulse of a job: what its heartbeats write, apart from the job itself."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models

from jobs.models.job import Job


class PulseQuerySet(models.QuerySet["Pulse"]):
    """The words in which sweeps and pages speak of pulses."""

    def silent_since(self, cutoff: dt.datetime) -> PulseQuerySet:
        """Whose lease ran out before `cutoff`; found by the index of `due`."""
        return self.filter(due__lt=cutoff, lease_until__lt=cutoff)

    def unheard_since(self, cutoff: dt.datetime) -> PulseQuerySet:
        """Of whose pilots nothing was heard since; a lease later the index knows which may be."""
        lease = dt.timedelta(seconds=settings.PANDASITE["LEASE_SECONDS"])
        return self.filter(due__lt=cutoff + lease, heard_at__lt=cutoff)


class Pulse(models.Model):
    """One row for exactly the jobs that a pilot holds: a trigger makes and removes it.

    Hundreds of heartbeats a second would rewrite rows of a kilobyte and sixty columns in the job
    table; here a row has two hundred bytes, and nothing that a heartbeat changes is in an index.
    So a job's columns of these names are as of its last change of state while it is held;
    `overlaid` in jobs/pulse.py brings them up to date.
    """

    job = models.OneToOneField(
        Job,
        primary_key=True,
        on_delete=models.DO_NOTHING,  # the trigger does
        db_constraint=False,
        related_name="pulse",
    )
    # As they are in the job: the trigger keeps them.
    attempt_nr = models.IntegerField()
    site_id = models.BigIntegerField()
    lease_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=12)
    start_time = models.DateTimeField(null=True)
    commanded = models.BooleanField()  # its pilot has to be told something: see jobs/judge.py
    # Newer than in the job: heartbeats write them.
    report_seq = models.IntegerField()
    heard_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    # Never later than lease_until. The watchdog moves it on when it comes due and finds the lease
    # renewed, once in a lease: so silent jobs are found by an index that no heartbeat touches.
    due = models.DateTimeField()
    cpu_consumption_time = models.IntegerField()
    max_rss_mb = models.IntegerField()
    told_at = models.DateTimeField(null=True)  # when the rows of pilot and node were last written

    objects = PulseQuerySet.as_manager()

    class Meta:
        # the watchdog and the dashboard: jobs whose lease may be over
        indexes = [models.Index(fields=["due"], name="pulse_due")]

    def __str__(self) -> str:
        return f"pulse of {self.job_id}"
