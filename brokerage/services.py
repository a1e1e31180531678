"""The verbs of this floor: a site's status changes here and nowhere else."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from brokerage.models import Site, SiteStatusChange
from pandasite.base.errors import BadInput, field_error
from pandasite.base.models import AuditLine


def set_site_status(
    site: Site, status: str, *, author: str, reason: str, now: dt.datetime
) -> SiteStatusChange:
    """Set the status of a site, with author and reason kept; a reason is not optional."""
    reason = reason.strip()
    if not reason:
        raise BadInput(
            "a change of a site's status needs a reason",
            code="reason_required",
            fields=[field_error("reason", "this field may not be empty", code="required")],
        )
    if status not in Site.Status.values:
        raise BadInput(f"unknown status {status!r}, one of {', '.join(Site.Status.values)}")
    with transaction.atomic():
        locked = Site.objects.select_for_update().get(pk=site.pk)
        change = SiteStatusChange.objects.create(
            site=locked,
            at=now,
            author=author,
            from_status=locked.status,
            to_status=status,
            reason=reason[:255],
        )
        Site.objects.filter(pk=site.pk).update(
            status=status, status_reason=reason[:255], status_by=author, status_at=now
        )
        AuditLine.objects.create(
            at=now,
            actor_name=author,
            action="site_status",
            subject=site.name,
            reason=reason,
            facts={"from": change.from_status, "to": status},
        )
    return change
