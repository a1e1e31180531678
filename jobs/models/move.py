"""What PandaMover's jobs carry."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from datasets.models import StorageElement, Transfer


class Move(models.Model):
    """A transfer that a `ddm` job makes; its channel is (source, destination, type)."""

    class Type(models.TextChoices):
        DIS = "dis", "input for jobs"
        SUB = "sub", "output on its way home"
        DDM = "ddm", "a subscription of its own"

    # The job may lie in the archive, or be gone.
    panda_id = models.BigIntegerField()
    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="moves")
    source = models.ForeignKey(StorageElement, on_delete=models.CASCADE, related_name="+")
    destination = models.ForeignKey(StorageElement, on_delete=models.CASCADE, related_name="+")
    type = models.CharField(max_length=3, choices=Type)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=9, blank=True, help_text="how its job ended")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["transfer"], condition=Q(settled_at=None), name="moved_by_one"
            )
        ]
        indexes = [
            # the mover sweep asks whose jobs have ended, and how many each channel has
            models.Index(fields=["panda_id"], condition=Q(settled_at=None), name="move_open"),
            # the page of channels counts what ended within its window
            models.Index(
                fields=["settled_at"], condition=Q(settled_at__isnull=False), name="move_settled"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.transfer} by job {self.panda_id}"
