"""What others call our users, which sites are somebody's own, and what a token is for."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from brokerage.models import Site

NAME_MAX = 512  # characters: a DN of a grid certificate has some 120, a subject 255


class Identity(models.Model):
    """A user as an issuer knows them: (iss, sub) of a token, (issuer DN, end-entity DN) of a
    certificate. A name to show is never a key: two issuers may have an Alice each.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities"
    )
    issuer = models.CharField(
        max_length=NAME_MAX, help_text="`iss` of a token, or the DN of the certificate's issuer"
    )
    subject = models.CharField(
        max_length=NAME_MAX, help_text="`sub` of a token, or the DN of the certificate itself"
    )
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True, blank=True, help_text="to the hour")

    class Meta:
        verbose_name_plural = "identities"
        ordering = ["issuer", "subject"]
        constraints = [
            # each call by a certificate or a token of others: whose is it?
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once_per_issuer"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class OwnSite(models.Model):
    """A site that is a user's own: what the role of site admin may do, is done there only."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="own_sites",
        db_index=False,  # the unique key begins with it
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="admins")

    class Meta:
        ordering = ["user", "site"]
        constraints = [
            # an act on a site: is it this user's own?
            models.UniqueConstraint(fields=["user", "site"], name="own_site_once_per_user"),
        ]

    def __str__(self) -> str:
        return f"{self.site} of {self.user}"


class TokenNote(models.Model):
    """What a token is called, what it may be used for, and who made it. None: everything."""

    class Scope(models.TextChoices):
        ALL = "all", "everything that you may do"
        READ = "read", "read only"
        PILOT = "pilot", "the pilots of a site"

    token = models.OneToOneField(
        "knox.AuthToken", on_delete=models.CASCADE, primary_key=True, related_name="note"
    )
    name = models.CharField(max_length=64)
    scope = models.CharField(max_length=8, choices=Scope.choices)
    # "My tokens": those that a user made, also those for pilots
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens_made"
    )

    def __str__(self) -> str:
        return f"{self.name} of {self.made_by}"
