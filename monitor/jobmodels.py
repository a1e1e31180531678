"""What the monitor keeps for itself: views that people save, and counts for the boxes of lists."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse


class SavedView(models.Model):
    """A search of the job list under a name: its filters, order and columns."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views"
    )
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=4000, blank=True, help_text="a query string, checked")
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        default_permissions = ()  # each has his own
        constraints = [
            # the views of somebody, by name; a name is saved over
            models.UniqueConstraint(fields=["owner", "name"], name="view_name_once_per_owner")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Where everybody who may read finds it."""
        return reverse("monitor:view", args=[self.pk])


class FacetShelf(models.Model):
    """A part of the jobs whose values have been counted: the live ones, or a week of ended ones."""

    name = models.CharField(max_length=64, unique=True, help_text="its table")
    as_of = models.DateTimeField()
    jobs = models.BigIntegerField()
    changes = models.BigIntegerField(help_text="rows that had come or gone when it was counted")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class FacetCount(models.Model):
    """`n` jobs of a shelf have this value; the most frequent ones of each box only."""

    shelf = models.ForeignKey(
        FacetShelf, on_delete=models.CASCADE, related_name="counts", db_index=False
    )
    box = models.CharField(max_length=32)
    value = models.CharField(max_length=255, help_text="of the column; a key for a name")
    n = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            # the sweep replaces those of a shelf, and adds them all up
            models.UniqueConstraint(fields=["shelf", "box", "value"], name="facet_once_per_shelf")
        ]

    def __str__(self) -> str:
        return f"{self.box} {self.value}: {self.n}"


class FacetSum(models.Model):
    """The counts of all shelves together: the one row that the boxes without a filter read."""

    as_of = models.DateTimeField(help_text="of the shelf that was counted the longest ago")
    boxes = models.JSONField(help_text="by box: its most frequent values with their jobs")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"as of {self.as_of}"
