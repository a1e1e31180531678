"""Tables of the dealings with data management systems, and of what looks after stored files."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from brokerage.models import NAME, Cloud

CALLBACK_URL = RegexValidator(r"^https?://[^\s/@]+(/\S*)?\Z", "an http:// or https:// address")
SECRET_NAME = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", "letters, digits and . _ -")


class CallbackTarget(models.Model):
    """Somebody who is told of what became of subscriptions. Its address comes from here only."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME])
    url = models.CharField("address", max_length=255, validators=[CALLBACK_URL])
    secret = models.CharField(
        max_length=64,
        validators=[SECRET_NAME],
        help_text="name of the shared secret, which is in PANDASITE_DDM_SECRETS",
    )
    private = models.BooleanField(
        "private network", default=False, help_text="may be an inner address, and plain http"
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SubscriptionColumns(models.Model):
    """Who wants it, how much, by which DDM, and who is told."""

    owner = models.CharField(max_length=150, blank=True, db_default="")
    vo = models.CharField("VO", max_length=32, blank=True, db_default="")
    priority = models.IntegerField(default=0, db_default=0)
    callback = models.ForeignKey(
        CallbackTarget, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    told_state = models.CharField(
        max_length=8, blank=True, db_default="", help_text="what the callback's target was told"
    )
    ddm = models.CharField(
        "DDM", max_length=32, blank=True, db_default="", help_text="empty = the built-in one"
    )
    reference = models.CharField(
        max_length=64, blank=True, db_default="", help_text="how the DDM elsewhere calls it"
    )
    asked_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when the DDM elsewhere was last asked about it; empty = there is news for it",
    )

    class Meta:
        abstract = True


class CallbackNews(models.Model):
    """What a target is to be told: sent again and again until it is acknowledged."""

    target = models.ForeignKey(CallbackTarget, on_delete=models.CASCADE, related_name="news")
    news_id = models.UUIDField(unique=True)
    body = models.JSONField()
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "callback news"
        indexes = [
            # the sending sweep asks for what is due, oldest first
            models.Index(
                fields=["next_try_at"], condition=Q(delivered_at=None), name="callback_news_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.news_id} for {self.target}"


class ReceivedNews(models.Model):
    """News of a DDM elsewhere that were recorded: the same again changes nothing."""

    sender = models.CharField(max_length=64)
    news_id = models.CharField(max_length=64)
    outcome = models.CharField(max_length=10)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "news_id"], name="news_once")]
        # housekeeping forgets the old ones, which lie in the order of their times
        indexes = [models.Index(fields=["received_at"], name="news_received")]

    def __str__(self) -> str:
        return f"{self.sender} {self.news_id}"


class MoverRule(models.Model):
    """Transfers of these channels are made by jobs that pilots run (PandaMover)."""

    destination = models.ForeignKey(
        "datasets.StorageElement",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="to this storage element",
    )
    cloud = models.ForeignKey(
        Cloud,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="or to those that the sites of this cloud write to",
    )
    source = models.ForeignKey(
        "datasets.StorageElement",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="only what lies there; empty: wherever it lies",
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(destination=None, cloud__isnull=False)
                | Q(destination__isnull=False, cloud=None),
                name="mover_rule_to_one_place",
            )
        ]

    def __str__(self) -> str:
        to = self.destination or f"cloud {self.cloud}"
        return f"{self.source or 'anywhere'} -> {to}"


class StorageCheck(models.Model):
    """How far the comparison of a storage element with the catalogue has come."""

    storage = models.OneToOneField(
        "datasets.StorageElement", on_delete=models.CASCADE, related_name="consistency"
    )
    started_at = models.DateTimeField()
    looked_at = models.DateTimeField("last round", null=True, blank=True)
    after_folder = models.CharField(max_length=255, blank=True, help_text="dark files: done so far")
    after_replica = models.BigIntegerField(default=0, help_text="lost files: done so far")
    folders_done = models.BooleanField(default=False)
    replicas_done = models.BooleanField(default=False)
    stored_seen = models.BigIntegerField(default=0)
    replicas_seen = models.BigIntegerField(default=0)
    ended_at = models.DateTimeField("last whole check", null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"check of {self.storage}"


class StorageFinding(models.Model):
    """A file that is stored and not known (dark), or known and not stored, or not whole (lost)."""

    class Kind(models.TextChoices):
        DARK = "dark", "dark: stored, and not in the catalogue"
        LOST = "lost", "lost: in the catalogue, and not stored"

    storage = models.ForeignKey(
        "datasets.StorageElement", on_delete=models.CASCADE, related_name="findings"
    )
    kind = models.CharField(max_length=4, choices=Kind)
    path = models.CharField(max_length=400)
    file = models.ForeignKey(
        "datasets.File", null=True, blank=True, on_delete=models.CASCADE, related_name="findings"
    )
    size = models.BigIntegerField("size (bytes)", null=True, blank=True)
    sightings = models.PositiveSmallIntegerField(default=1, help_text="checks that found it")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # a check that meets it again counts a sighting
            models.UniqueConstraint(
                fields=["storage", "kind", "path"],
                condition=Q(resolved_at=None),
                name="finding_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.path} at {self.storage}"


class ContainerMember(models.Model):
    """A container is a dataset of datasets."""

    container = models.ForeignKey(
        "datasets.Dataset", on_delete=models.CASCADE, related_name="contents"
    )
    dataset = models.ForeignKey(
        "datasets.Dataset", on_delete=models.CASCADE, related_name="containers"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["container", "dataset"], name="contained_once"),
            models.CheckConstraint(
                condition=~Q(container=F("dataset")), name="container_not_in_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} in {self.container}"
