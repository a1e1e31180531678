"""What a claim has to know of its site, as one row."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class SiteFact(models.Model):
    """The facts of a site that claims ask for, from the tables of sites, clouds, storage, releases,
    VOs, bans and downtimes.

    Triggers of these tables keep it in the transaction of the change (jobs/sql/facts.sql); nobody
    else writes it. Its columns stand in the order in which `jobs_facts_of` gives them.
    """

    site_id = models.BigIntegerField(primary_key=True)
    offline = models.BooleanField()
    job_cap = models.IntegerField()
    storage_id = models.BigIntegerField(null=True, help_text="what jobs read from and write to")
    storage_name = models.TextField(null=True)
    storage_url = models.TextField(null=True)
    any_release = models.BooleanField(help_text="pilots are not asked for the release of a job")
    vos = ArrayField(models.BigIntegerField(), null=True, help_text="allowed here; none = all")
    banned = ArrayField(
        models.TextField(), null=True, help_text="nodes, also of bans that are over"
    )
    outage_until = models.DateTimeField(null=True, help_text="the latest end of one")

    def __str__(self) -> str:
        return f"facts of site {self.site_id}"
