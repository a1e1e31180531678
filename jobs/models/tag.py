"""A tag: a name for a transformation, a release and parameters, which stay together."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Tag(models.Model):
    """What a production agreed on. Never changed; the database refuses that (jobs/sql/tag.sql).

    One that no task has used may be removed. A field that is empty is left to each request.
    """

    name = models.CharField(max_length=64, unique=True)
    transformation = models.CharField(max_length=255)
    atlas_release = models.CharField(max_length=64, blank=True, default="")
    cmt_config = models.CharField(max_length=64, blank=True, default="")
    homepackage = models.CharField(max_length=80, blank=True, default="")
    job_parameters = models.TextField(blank=True, default="")
    description = models.CharField(max_length=255, blank=True, default="")
    made_by = models.CharField(max_length=150, help_text="name of a user")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(transformation=""), name="tag_says_something"
            ),
        ]

    def __str__(self) -> str:
        return self.name
