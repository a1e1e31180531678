"""The verbs of this floor: the status of a site or a cloud changes here and nowhere else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import transaction

from brokerage.models import Cloud, Site, SiteStatusChange
from pandasite.base.errors import BadInput, field_error
from pandasite.base.models import AuditLine


def set_site_status(
    site: Site, status: str, *, author: str, reason: str, now: dt.datetime
) -> SiteStatusChange:
    """Set the status of a site, with author and reason kept; a reason is not optional."""
    reason = _checked("site", status, Site.Status.values, reason)
    with transaction.atomic():
        locked = Site.objects.select_for_update().get(pk=site.pk)
        change = _write_status(locked, status, author=author, reason=reason, now=now)
        facts = {"from": change.from_status, "to": status}
        _audit("site_status", site.name, facts, author=author, reason=reason, now=now)
    return change


def book_new_site(site: Site, *, author: str, reason: str, now: dt.datetime) -> SiteStatusChange:
    """Begin the history of a site that was just made, with the status it was made with.

    The audit line is its maker's: there may be one for a file of many sites.
    """
    with transaction.atomic():
        return _write_status(site, site.status, author=author, reason=reason, now=now, before="")


def set_cloud_status(
    cloud: Cloud, status: str, *, author: str, reason: str, now: dt.datetime
) -> None:
    """Set the status of a cloud, with author and reason kept; a reason is not optional."""
    reason = _checked("cloud", status, Cloud.Status.values, reason)
    with transaction.atomic():
        before = Cloud.objects.select_for_update().get(pk=cloud.pk).status
        Cloud.objects.filter(pk=cloud.pk).update(
            status=status, status_reason=reason[:255], status_by=author, status_at=now
        )
        facts = {"from": before, "to": status}
        _audit("cloud_status", cloud.name, facts, author=author, reason=reason, now=now)


def _checked(thing: str, status: str, known: Collection[str], reason: str) -> str:
    """The reason without blanks around it; BadInput when there is none, or no such status."""
    reason = reason.strip()
    if not reason:
        raise BadInput(
            f"a change of a {thing}'s status needs a reason",
            code="reason_required",
            fields=[field_error("reason", "this field may not be empty", code="required")],
        )
    if status not in known:
        raise BadInput(f"unknown status {status!r}, one of {', '.join(known)}")
    return reason


def _write_status(
    site: Site, to: str, *, author: str, reason: str, now: dt.datetime, before: str | None = None
) -> SiteStatusChange:
    change = SiteStatusChange.objects.create(
        site=site,
        at=now,
        author=author,
        from_status=site.status if before is None else before,
        to_status=to,
        reason=reason[:255],
    )
    Site.objects.filter(pk=site.pk).update(
        status=to, status_reason=reason[:255], status_by=author, status_at=now
    )
    return change


def _audit(
    action: str,
    subject: str,
    facts: dict[str, str],
    *,
    author: str,
    reason: str,
    now: dt.datetime,
) -> None:
    AuditLine.objects.create(
        at=now, actor_name=author, action=action, subject=subject, reason=reason, facts=facts
    )
