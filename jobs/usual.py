"""What a person most likely means where a request says nothing."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from brokerage.models import VO
from jobs.models import Task


def usual_vo(user: Any) -> str:
    """The VO of the person's newest task; else the one that most sites serve; '' without any."""
    if user.is_authenticated:
        mine = Task.objects.filter(owner=user, vo__isnull=False).order_by("-pk")
        if name := mine.values_list("vo__name", flat=True).first():
            return name
    served = VO.objects.annotate(n=Count("site")).order_by("-n", "name")
    return served.values_list("name", flat=True).first() or ""
