"""Leases that the server keeps for pilots that know of none."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class KeptLease(models.Model):
    """The lease of one attempt, kept for a pilot that speaks PanDA's own wire.

    Such a pilot brings no lease token: who it is says its account, and from its first word on its
    pilotID and its node. `salt` makes the token together with the secret key.
    """

    pk = models.CompositePrimaryKey("panda_id", "attempt_nr")
    # No constraints: the job moves to the archive, and whose account is gone calls no more.
    panda_id = models.BigIntegerField()
    attempt_nr = models.IntegerField()
    account_id = models.BigIntegerField(help_text="the account of pilots that asked for the job")
    salt = models.CharField(max_length=40)
    pilot_id = models.CharField("pilotID", max_length=200, blank=True)
    node = models.CharField(max_length=128, blank=True)
    bound_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        # housekeeping: rows lie in the order of their birth, so ranges of pages are enough
        indexes = [BrinIndex(fields=["created_at"], pages_per_range=16, name="kept_lease_born")]

    def __str__(self) -> str:
        return f"lease of {self.panda_id}, attempt {self.attempt_nr}"
