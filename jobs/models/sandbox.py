"""A sandbox: what of it is known without opening the file."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Sandbox(models.Model):
    """An archive on the shelf (jobs/sandboxes/shelf.py), under this name; size in bytes.

    `crc32` is that of what is packed, from the end of the gzip: clients ask by it and the size
    whether they have sent the same before.
    """

    name = models.CharField(max_length=64, unique=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    size = models.BigIntegerField()
    crc32 = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "sandboxes"
        indexes = [
            # validate_cache_file: an archive of this owner with this size and checksum; and the
            # sum of what an owner has
            models.Index(fields=["owner", "size", "crc32"], name="sandbox_of_owner"),
            # housekeeping: those that nobody has used for long, the longest first
            models.Index(fields=["last_used_at"], name="sandbox_last_used"),
        ]
        constraints = [models.CheckConstraint(condition=Q(size__gte=0), name="sandbox_size")]

    def __str__(self) -> str:
        return self.name
