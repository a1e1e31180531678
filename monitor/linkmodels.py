"""The links of the dashboard, which an administrator writes."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

ADDRESS = RegexValidator(
    r"\A(https?://[^\s/]\S*|mailto:\S+@\S+|/([^\s/]\S*)?)\Z",
    "http://..., https://..., mailto:... or a page of this site, which begins with one /",
)


class LinkBlock(models.Model):
    """A heading on the dashboard with links below it: shift guide, calendar, lists, logbooks."""

    title = models.CharField(max_length=64, unique=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="smaller comes first")

    class Meta:
        ordering = ["position", "title"]
        verbose_name = "block of links"
        verbose_name_plural = "blocks of links"

    def __str__(self) -> str:
        return self.title


class Link(models.Model):
    """A link of a block; `note` says what is there."""

    block = models.ForeignKey(LinkBlock, on_delete=models.CASCADE, related_name="links")
    title = models.CharField(max_length=64)
    url = models.CharField("address", max_length=500, validators=[ADDRESS])
    note = models.CharField(max_length=255, blank=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="smaller comes first")

    class Meta:
        ordering = ["position", "title"]

    def __str__(self) -> str:
        return self.title
