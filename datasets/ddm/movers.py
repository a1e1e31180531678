"""Which channels are PandaMover's, as conditions on transfers."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from datasets.models import MoverRule, Replica, SiteStorage


def channels() -> list[Q]:
    """One condition for each rule that is on; none is the common case."""
    return [_condition(rule) for rule in MoverRule.objects.filter(enabled=True)]


def _condition(rule: MoverRule) -> Q:
    if rule.cloud_id:
        local = SiteStorage.objects.filter(
            site__cloud=rule.cloud_id, role=SiteStorage.Role.LOCAL
        ).values_list("storage", flat=True)
        to = Q(destination__in=list(local))
    else:
        to = Q(destination=rule.destination_id)
    if not rule.source_id:
        return to
    at_source = Replica.objects.filter(
        file=OuterRef("file"), storage=rule.source_id, state=Replica.State.AVAILABLE
    )
    return to & Q(Exists(at_source))
