"""Sums of datasets by what their names say."""

from __future__ import annotations

from django.db import models


class PhysicsTally(models.Model):
    """Datasets of a slice of the catalogue (5,000 numbers) with the same project, step and type.

    A sweep makes one slice after the other anew, so that no round grows with the catalogue.
    """

    slice = models.IntegerField()
    project = models.CharField(max_length=64)
    stream = models.CharField(max_length=64)
    step = models.CharField(max_length=64)
    data_type = models.CharField(max_length=64)
    datasets = models.BigIntegerField()
    files = models.BigIntegerField()
    size = models.BigIntegerField("size (bytes)")
    events = models.BigIntegerField()
    counted = models.BigIntegerField(help_text="files whose events are known")
    latest = models.DateTimeField(help_text="when the newest dataset was made")
    as_of = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slice", "project", "stream", "step", "data_type"],
                name="physics_tally_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.data_type}: {self.datasets}"
