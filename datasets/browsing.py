"""What the catalogue knows of a dataset beside its files: category, owner, sums, and where it is.

Names, categories and sums are written by the sweep `datasets.sum_datasets` (sums.py); who makes a
dataset need not know of them.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Left, Length
from django.db.models.lookups import LessThanOrEqual

from datasets.states import DatasetState

METADATA_MAX = 16_384  # characters of the JSON text
BLOCKS = ("dispatch", "sub")  # types of datasets that only travel: no list has them
_LISTED = ~Q(category="")


class DatasetColumns(models.Model):
    """What lists of datasets show and choose by."""

    project = models.GeneratedField(
        expression=Left(Func(F("name"), Value("."), Value(1), function="split_part"), 64),
        output_field=models.CharField(max_length=64),
        db_persist=True,
        help_text="first field of the name",
    )
    category = models.CharField(
        max_length=32, blank=True, help_text="by its name; empty: a block, or not looked at yet"
    )
    data_type = models.CharField(max_length=64, blank=True, help_text="such as AOD, by its name")
    scope = models.CharField(max_length=64, blank=True)
    # deleting a user looks for his datasets: the index of the key
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="datasets",
    )
    metadata = models.JSONField(default=dict, blank=True)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="may be erased from then on; empty: never by itself"
    )
    aborted_at = models.DateTimeField(null=True, blank=True)
    aborted_reason = models.CharField(max_length=255, blank=True)
    n_files = models.IntegerField("files", default=0)
    n_bytes = models.BigIntegerField("bytes", default=0)
    n_events = models.BigIntegerField("events", default=0)
    n_lost = models.IntegerField("lost files", default=0, help_text="no good replica is left")
    summed_at = models.DateTimeField(
        null=True, blank=True, help_text="when its sums changed last; empty: never counted"
    )

    class Meta:
        abstract = True


DATASET_CONSTRAINTS: list[models.BaseConstraint] = [
    models.CheckConstraint(
        condition=LessThanOrEqual(
            Length(Cast("metadata", models.TextField())), Value(METADATA_MAX)
        ),
        name="dataset_metadata_bounded",
        violation_error_message=f"metadata must be at most {METADATA_MAX} characters of JSON",
    )
]
DATASET_INDEXES = [
    # the closing sweep looks at dispatch and sub blocks that are not at their end
    models.Index(
        fields=["type", "state", "state_changed_at"],
        condition=Q(state__in=[DatasetState.OPEN, DatasetState.TOBECLOSED, DatasetState.FROZEN]),
        name="dataset_open",
    ),
    models.Index(
        fields=["parent", "destination", "source"],
        condition=Q(type="sub"),
        name="dataset_sub_of",
    ),
    # the browser's list, the newest first: of all, of a category, of a project, of a data type
    models.Index(fields=["id"], condition=_LISTED, name="dataset_listed"),
    models.Index(fields=["category", "id"], condition=_LISTED, name="dataset_of_category"),
    models.Index(fields=["project", "id"], condition=_LISTED, name="dataset_of_project"),
    models.Index(fields=["data_type", "id"], condition=_LISTED, name="dataset_of_type"),
    # the sweep over sums asks which have no category yet
    models.Index(
        fields=["id"], condition=Q(category="") & ~Q(type__in=BLOCKS), name="dataset_uncategorised"
    ),
    # the lists of aborted datasets and of those with lost files
    models.Index(
        fields=["id"],
        condition=Q(aborted_at__isnull=False) | Q(n_lost__gt=0),
        name="dataset_aborted_or_lost",
    ),
    # the sweep over lifetimes asks whose time is over
    models.Index(
        fields=["expires_at"], condition=Q(expires_at__isnull=False), name="dataset_expires"
    ),
]


class DatasetCategory(models.Model):
    """A line of the browser's table: datasets whose names fit one of the patterns."""

    name = models.CharField(max_length=32, unique=True)
    description = models.CharField(max_length=255, blank=True)
    patterns = models.TextField(
        blank=True,
        help_text="one a line, with * and ? and [0-9]; the first category that fits has the"
        " dataset. One without patterns has what fits none.",
    )
    position = models.PositiveSmallIntegerField(default=100, help_text="in the table, ascending")

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "dataset categories"

    def __str__(self) -> str:
        return self.name


class DatasetTally(models.Model):
    """How many datasets of a slice of the catalogue (sums.SLICE numbers) are of which kind."""

    slice = models.IntegerField()
    category = models.CharField(max_length=32)
    project = models.CharField(max_length=64)
    datasets = models.BigIntegerField()
    files = models.BigIntegerField()
    size = models.BigIntegerField("size (bytes)")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slice", "category", "project"], name="dataset_tally_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.project}: {self.datasets}"


class DatasetCopy(models.Model):
    """How much of a dataset is at a storage element, in good replicas."""

    storage = models.ForeignKey(
        "datasets.StorageElement", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    # deleting a dataset, and its page, look for its copies: the index of the key
    dataset = models.ForeignKey("datasets.Dataset", on_delete=models.CASCADE, related_name="copies")
    files = models.IntegerField()
    bytes = models.BigIntegerField()

    class Meta:
        # in this order: datasets at a storage element, the newest first
        constraints = [
            models.UniqueConstraint(fields=["storage", "dataset"], name="dataset_copy_once")
        ]

    def __str__(self) -> str:
        return f"{self.dataset} at {self.storage}: {self.files} files"
