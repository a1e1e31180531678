"""The menu for the frame of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from monitor import menu
from monitor.alerts.models import AlertNews

register = template.Library()


@register.simple_tag
def menu_sections() -> Sequence[menu.Section]:
    """All pages, by heading."""
    return menu.sections()


@register.simple_tag
def menu_top() -> Sequence[menu.Entry]:
    """The pages that are asked for most."""
    return menu.top()


@register.simple_tag(takes_context=True)
def menu_mine(context: Mapping[str, Any]) -> Sequence[menu.Entry]:
    """The pages of who is logged in."""
    return menu.mine(context["request"].user.get_username())


@register.simple_tag(takes_context=True)
def menu_news(context: Mapping[str, Any]) -> int:
    """How many things the alerts of who is logged in told that he has not marked as seen."""
    owner = context["request"].user.pk
    return AlertNews.objects.filter(alert__owner=owner, seen_at=None).count()
