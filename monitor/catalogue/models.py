"""What people have asked for: that a dataset be brought to a storage element."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from datasets.models import Dataset, StorageElement, Subscription


class DataRequest(models.Model):
    """Who asked for which dataset at which storage element, and why. Only ever added to."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+")
    storage = models.ForeignKey(StorageElement, on_delete=models.CASCADE, related_name="+")
    subscription = models.ForeignKey(
        Subscription, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # deleting a user looks for his requests: the index of the key
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    user_name = models.CharField(max_length=150)
    reason = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.user_name}: {self.dataset} to {self.storage}"
