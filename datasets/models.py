"""Datasets, files, where their replicas are, and the transfers that move them."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from brokerage.models import NAME, Site
from datasets import browsing
from datasets.browsing import DatasetCategory as DatasetCategory
from datasets.browsing import DatasetCopy as DatasetCopy
from datasets.browsing import DatasetTally as DatasetTally
from datasets.ddm import tables
from datasets.ddm.tables import CallbackNews as CallbackNews
from datasets.ddm.tables import CallbackTarget as CallbackTarget
from datasets.ddm.tables import ContainerMember as ContainerMember
from datasets.ddm.tables import MoverRule as MoverRule
from datasets.ddm.tables import ReceivedNews as ReceivedNews
from datasets.ddm.tables import StorageCheck as StorageCheck
from datasets.ddm.tables import StorageFinding as StorageFinding
from datasets.flows import SpaceSample as SpaceSample
from datasets.flows import TransferDay as TransferDay
from datasets.flows import TransferFailure as TransferFailure
from datasets.flows import TransferQueue as TransferQueue
from datasets.flows import TransferSum as TransferSum
from datasets.states import DatasetState, TransferState
from datasets.storage.base import Address
from datasets.traffic import Activity as Activity
from datasets.traffic import Link as Link
from datasets.traffic import StageRequest as StageRequest
from datasets.traffic import StorageHealth as StorageHealth
from datasets.traffic import Transfer as Transfer

GB = 10**9
STORAGE_URL = RegexValidator(
    r"^(file:///|[a-z0-9+]+://).+", "an address such as file:///data/se or davs://se.example.org/"
)
SECRET_NAME = RegexValidator(r"^[A-Za-z0-9_]*\Z", "letters, digits and _ only")


def choices(states: type[TransferState] | type[DatasetState]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in states]


class StorageElement(models.Model):
    """A place for files. Its address comes from an administrator, never from a job."""

    class Kind(models.TextChoices):
        DISK = "disk"
        TAPE = "tape"

    name = models.CharField(max_length=64, unique=True, validators=[NAME])
    url = models.CharField(max_length=255, validators=[STORAGE_URL])
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.DISK)
    space_token = models.CharField(max_length=32, blank=True)
    capacity_bytes = models.BigIntegerField(default=0)
    threshold_gb = models.FloatField(
        null=True, blank=True, help_text="brokerage needs this much free; empty = the default"
    )
    free_bytes = models.BigIntegerField(null=True, blank=True)
    used_bytes = models.BigIntegerField(null=True, blank=True)
    space_from = models.CharField(
        "space measured by",
        max_length=9,
        blank=True,
        db_default="",
        help_text="quota, disk or catalogue",
    )
    measured_at = models.DateTimeField("free space as of", null=True, blank=True)
    endpoint = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        help_text="S3 only: where the service is; empty = Amazon's",
    )
    secret = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        validators=[SECRET_NAME],
        help_text="name of the credentials, which are kept elsewhere: see docs/storage.md",
    )
    max_transfers = models.PositiveSmallIntegerField(
        "transfers at once", null=True, blank=True, help_text="in and out; empty = the default"
    )
    ddm_name = models.CharField(
        "name elsewhere",
        max_length=64,
        blank=True,
        db_default="",
        help_text="how a DDM elsewhere calls it (Rucio: the RSE); empty = the same",
    )
    sites = models.ManyToManyField(Site, through="SiteStorage", related_name="storages")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> Address:
        """Where and how it is reached."""
        return Address(
            url=self.url,
            endpoint=self.endpoint,
            secret=self.secret,
            tape=self.kind == self.Kind.TAPE,
        )

    @property
    def name_elsewhere(self) -> str:
        """How a DDM elsewhere calls it."""
        return self.ddm_name or self.name

    @property
    def free_gb(self) -> float | None:
        """Free space in GB (10^9 bytes), None where it was never measured."""
        return None if self.free_bytes is None else self.free_bytes / GB


class SiteStorage(models.Model):
    """A site reads from and writes to a storage element; queues may share one."""

    class Role(models.TextChoices):
        LOCAL = "local", "local: jobs read and write here"
        READ = "read", "read only"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="site_storages")
    storage = models.ForeignKey(
        StorageElement, on_delete=models.PROTECT, related_name="site_storages"
    )
    role = models.CharField(max_length=8, choices=Role, default=Role.LOCAL)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "storage"], name="site_storage_once"),
            # one place to write to: the pilot is told exactly one
            models.UniqueConstraint(
                fields=["site"], condition=Q(role="local"), name="one_local_storage_per_site"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} -> {self.storage} ({self.role})"


class Dataset(browsing.DatasetColumns):
    """A named set of files; `_dis` blocks carry input to a site, `_sub` blocks output home."""

    class Type(models.TextChoices):
        INPUT = "input"
        DISPATCH = "dispatch"
        DESTINATION = "destination"
        SUB = "sub"
        CONTAINER = "container"  # of datasets; see ContainerMember

    name = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=12, choices=Type, default=Type.INPUT)
    state = models.CharField(
        max_length=12, choices=choices(DatasetState), default=DatasetState.OPEN
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="subs"
    )
    source = models.ForeignKey(
        StorageElement, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    destination = models.ForeignKey(
        StorageElement, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    state_changed_at = models.DateTimeField()
    files: models.ManyToManyField[File, DatasetFile] = models.ManyToManyField(
        "File", through="DatasetFile", related_name="datasets"
    )

    class Meta:
        ordering = ["-id"]
        constraints = browsing.DATASET_CONSTRAINTS
        indexes = browsing.DATASET_INDEXES

    def __str__(self) -> str:
        return self.name


class File(models.Model):
    """One file of the catalogue, known by scope and logical file name (LFN)."""

    scope = models.CharField(max_length=64)
    lfn = models.CharField("LFN", max_length=250)
    guid = models.CharField("GUID", max_length=36)
    size = models.BigIntegerField("size (bytes)")
    adler32 = models.CharField(max_length=8)
    events = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "lfn"], name="file_once"),
            models.CheckConstraint(condition=Q(size__gte=0), name="file_size_not_negative"),
        ]
        # quick search by GUID, and by how an LFN begins
        indexes = [
            models.Index(fields=["guid"], name="file_guid"),
            models.Index(fields=["lfn"], opclasses=["text_pattern_ops"], name="file_lfn_begins"),
        ]

    def __str__(self) -> str:
        return f"{self.scope}:{self.lfn}"


class DatasetFile(models.Model):
    """Membership: a file may be in many datasets."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="members")
    file = models.ForeignKey(File, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "file"], name="file_once_per_dataset")
        ]

    def __str__(self) -> str:
        return f"{self.file} in {self.dataset}"


class Replica(models.Model):
    """A copy of a file at a storage element; `bad` copies are kept as evidence, never used."""

    class State(models.TextChoices):
        AVAILABLE = "available"
        BAD = "bad"
        ERASING = "erasing"  # it has served; removed from the storage, then from here

    file = models.ForeignKey(File, on_delete=models.CASCADE, related_name="replicas")
    storage = models.ForeignKey(StorageElement, on_delete=models.PROTECT, related_name="replicas")
    state = models.CharField(max_length=12, choices=State, default=State.AVAILABLE)
    reason = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "storage"], name="replica_once")]
        # the sweep over waiting jobs asks what has appeared since it last looked; rows are added
        # in the order of their times, so that a summary of each range of blocks is enough
        indexes = [
            BrinIndex(
                fields=["created_at"], autosummarize=True, pages_per_range=16, name="replica_new"
            )
        ]

    def __str__(self) -> str:
        return f"{self.file} at {self.storage}"


class Subscription(tables.SubscriptionColumns):
    """The wish to have all files of a dataset at a storage element."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        GIVEN_UP = "given_up"  # nobody waits for the rest any more

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="subscriptions")
    storage = models.ForeignKey(
        StorageElement, on_delete=models.PROTECT, related_name="subscriptions"
    )
    activity = models.CharField(max_length=32, default="production")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=255, blank=True, help_text="why it was given up")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "storage"], name="subscribed_once"),
            models.CheckConstraint(
                condition=Q(state__in=["done", "given_up"], done_at__isnull=False)
                | Q(state="open", done_at__isnull=True),
                name="subscription_done_at",
            ),
        ]
        indexes = [
            # the closing sweep settles what is open
            models.Index(fields=["dataset"], condition=Q(state="open"), name="subscription_open"),
            # the sync with a DDM elsewhere asks whose turn it is
            models.Index(fields=["ddm", "asked_at"], condition=~Q(ddm=""), name="subscription_ddm"),
            # the outbox asks whose target has not been told
            models.Index(
                fields=["id"],
                condition=Q(callback__isnull=False) & ~Q(state="open") & ~Q(told_state=F("state")),
                name="subscription_untold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} -> {self.storage}"
