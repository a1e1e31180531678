"""What people want to be told of their tasks, and what they were told."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Alert(models.Model):
    """A wish: of one task, or of all tasks of the owner that were at work since it was made."""

    class Rule(models.TextChoices):
        ENDED = "ended", "it has ended"
        FAILS = "fails", "it fails a lot"
        STUCK = "stuck", "it does not get on"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    task_id = models.BigIntegerField(default=0, help_text="0: all of the owner's")
    rule = models.CharField(max_length=5, choices=Rule.choices)
    level = models.PositiveIntegerField(
        default=0, help_text="fails: percent of its jobs; stuck: hours without a change"
    )
    mail = models.BooleanField(default=False, help_text="to the owner's address as well")
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()  # each has his own
        constraints = [
            # the alerts of somebody; the same twice would only tell twice
            models.UniqueConstraint(fields=["owner", "task_id", "rule"], name="alert_once"),
            models.CheckConstraint(condition=Q(level__lte=10_000), name="alert_level"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.task_id or 'all tasks'}"

    @property
    def words(self) -> str:
        """When it tells something."""
        if self.rule == self.Rule.FAILS:
            return f"more than {self.level} % of its jobs failed"
        if self.rule == self.Rule.STUCK:
            return f"nothing changed for {self.level} h"
        return "it has ended"


class AlertNews(models.Model):
    """What an alert told of a task, once."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="news", db_index=False)
    task_id = models.BigIntegerField()
    text = models.CharField(max_length=255)
    at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    mail_at = models.DateTimeField(null=True, help_text="when its mail is (to be) sent")
    mailed_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            # the sweep tells each once; the news of somebody's alerts
            models.UniqueConstraint(fields=["alert", "task_id"], name="alert_news_once")
        ]
        indexes = [
            # the sweep: mails that are to be sent
            models.Index(
                fields=["mail_at"], name="alert_news_to_mail",
                condition=Q(mail_at__isnull=False, mailed_at__isnull=True),
            ),
            # the sweep: news of long ago
            models.Index(fields=["at"], name="alert_news_age"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.text
