"""What work is offered to: clouds, sites, releases. They point at nothing above them."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models import Q

NAME = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "letters, digits, '_', '.' and '-', not starting with a sign"
)


class VO(models.Model):
    """A virtual organisation: the community that a job and its user belong to."""

    name = models.CharField(max_length=32, unique=True, validators=[NAME])
    description = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "VO"
        verbose_name_plural = "VOs"

    def __str__(self) -> str:
        return self.name


class Cloud(models.Model):
    """A Tier-1 and the sites around it: the unit that production tasks are given to."""

    class Status(models.TextChoices):
        ONLINE = "online"
        OFFLINE = "offline"

    name = models.CharField(max_length=16, unique=True, validators=[NAME])
    tier1 = models.ForeignKey(
        "Site", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.ONLINE)
    status_reason = models.CharField(max_length=255, blank=True)
    status_by = models.CharField(max_length=150, blank=True)
    status_at = models.DateTimeField(null=True, blank=True)
    weight = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(0.01)],
        help_text="divides the Tier-1's load when jobs have many input files",
    )
    mc_share = models.PositiveIntegerField(
        "production share",
        default=1,
        validators=[MinValueValidator(1)],
        help_text="how much production it takes: work above 2000 times this is too much",
    )
    fasttrack = models.BooleanField(default=False, help_text="takes event generation above 700")
    validation = models.BooleanField(default=False, help_text="takes validation tasks")
    releases_checked = models.BooleanField(
        default=True, help_text="a site without the job's release is refused"
    )
    reprocessing_at_tier1 = models.BooleanField(
        default=True, help_text="reprocessing jobs go to the Tier-1"
    )

    class Meta:
        ordering = ["name"]
        permissions = [("set_cloud_status", "Can set a cloud online or offline")]

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """A queue at a computing site, with what one job slot offers there."""

    class Type(models.TextChoices):
        PRODUCTION = "production"
        ANALYSIS = "analysis"
        BOTH = "both"

    class Status(models.TextChoices):
        ONLINE = "online"
        OFFLINE = "offline"
        BROKEROFF = "brokeroff"
        TEST = "test"

    class Flavour(models.TextChoices):
        OSG = "OSG", "OSG"
        EGEE = "EGEE", "EGEE"
        ARC = "ARC", "ARC"
        LOCAL = "local", "local"

    name = models.CharField(max_length=64, unique=True, validators=[NAME])
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="sites")
    tier = models.PositiveSmallIntegerField(default=2)
    type = models.CharField(max_length=12, choices=Type, default=Type.BOTH)
    status = models.CharField(max_length=12, choices=Status, default=Status.ONLINE)
    status_reason = models.CharField(max_length=255, blank=True)
    status_by = models.CharField(max_length=150, blank=True)
    status_at = models.DateTimeField(null=True, blank=True)
    memory_mb = models.PositiveIntegerField("memory per slot (MB)", default=0, help_text="0 = any")
    cpu_speed_mhz = models.PositiveIntegerField("CPU speed (MHz)", default=0)
    slots = models.PositiveIntegerField(default=1)
    max_core_count = models.PositiveIntegerField("cores per job", default=1)
    job_cap = models.PositiveIntegerField(
        "jobs at once", default=0, help_text="most that pilots may hold at a time; 0 = no limit"
    )
    wall_seconds = models.PositiveIntegerField("wall-time limit (s)", default=0)
    scratch_mb = models.PositiveIntegerField("scratch per slot (MB)", default=0)
    flavour = models.CharField("middleware", max_length=8, choices=Flavour, default=Flavour.LOCAL)
    vos = models.ManyToManyField(VO, blank=True, verbose_name="VOs allowed", help_text="none = all")

    class Meta:
        ordering = ["cloud__name", "tier", "name"]
        permissions = [("set_site_status", "Can set a site online, offline, brokeroff or test")]

    def __str__(self) -> str:
        return self.name


class SiteStatusChange(models.Model):
    """One change of a site's status: who, when, from what to what, and why."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="status_changes")
    at = models.DateTimeField()
    author = models.CharField(max_length=150)
    from_status = models.CharField(max_length=12)
    to_status = models.CharField(max_length=12)
    reason = models.CharField(max_length=255)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.site}: {self.from_status} -> {self.to_status}"


class Release(models.Model):
    """A software release of a VO, e.g. Atlas-14.5.0 for one platform (cmtConfig)."""

    name = models.CharField(max_length=64, help_text="e.g. Atlas")
    version = models.CharField(max_length=64)
    cmt_config = models.CharField("platform (cmtConfig)", max_length=64)

    class Meta:
        ordering = ["name", "version", "cmt_config"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version", "cmt_config"], name="release_once")
        ]

    def __str__(self) -> str:
        return f"{self.atlas_release} {self.cmt_config}"

    @property
    def atlas_release(self) -> str:
        """The name as jobs write it: `<name>-<version>`."""
        return f"{self.name}-{self.version}"


class InstalledRelease(models.Model):
    """A release installed at a site; validated means that a validation job passed there."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="installed")
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="installed")
    validated = models.BooleanField(default=False)

    class Meta:
        ordering = ["site", "release"]
        constraints = [
            models.UniqueConstraint(fields=["site", "release"], name="release_once_per_site")
        ]

    def __str__(self) -> str:
        return f"{self.release} at {self.site}"


class BanQuerySet(models.QuerySet["BannedNode"]):
    """The words in which services and pages speak of bans."""

    def in_force(self, now: dt.datetime) -> BanQuerySet:
        """Those that are not over: a ban without an end, or with one to come."""
        return self.filter(Q(until__isnull=True) | Q(until__gt=now))


class BannedNode(models.Model):
    """A worker node that gets no job, e.g. a black hole that fails all it takes."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="banned_nodes")
    node = models.CharField(max_length=128)
    reason = models.CharField(max_length=255)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField()
    until = models.DateTimeField(
        null=True, blank=True, help_text="when the node gets jobs again by itself; empty = never"
    )

    objects = BanQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "node"], name="node_banned_once")]

    def __str__(self) -> str:
        return f"{self.node} at {self.site}"


class DowntimeQuerySet(models.QuerySet["Downtime"]):
    """The words in which brokerage and pages speak of downtimes."""

    def at(self, now: dt.datetime) -> DowntimeQuerySet:
        """Those that go on at that moment."""
        return self.filter(start__lte=now, end__gt=now)

    def to_come(self, now: dt.datetime) -> DowntimeQuerySet:
        """Those that go on or are announced."""
        return self.filter(end__gt=now)

    def outages(self, now: dt.datetime) -> DowntimeQuerySet:
        """Those that go on at that moment, and keep jobs away."""
        return self.at(now).filter(severity=Downtime.Severity.OUTAGE)


class Downtime(models.Model):
    """A time in which a site is not, or not fully, there.

    An outage keeps jobs away from it, by itself: brokerage chooses it for none, its pilots get
    none, and what waits there for long goes elsewhere. A warning is shown.
    """

    class Severity(models.TextChoices):
        OUTAGE = "outage", "outage: nothing works"
        WARNING = "warning", "warning: some things may not work"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="downtimes")
    start = models.DateTimeField("start (UTC)")
    end = models.DateTimeField("end (UTC)")
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.OUTAGE)
    description = models.CharField(max_length=255)
    link = models.CharField(
        max_length=255, blank=True, validators=[URLValidator(schemes=["http", "https"])]
    )
    author = models.CharField(max_length=150, blank=True, editable=False)

    objects = DowntimeQuerySet.as_manager()

    class Meta:
        ordering = ["-start"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end__gt=models.F("start")), name="downtime_ends_after_its_start"
            )
        ]
        # the page of all sites: what goes on and what is announced
        indexes = [models.Index(fields=["end"], name="downtime_end")]

    def __str__(self) -> str:
        return f"{self.site}: {self.severity} from {self.start:%Y-%m-%d %H:%M}"

    @property
    def words(self) -> str:
        """Until when, and why."""
        return f"until {self.end:%Y-%m-%d %H:%M} UTC: {self.description}"
