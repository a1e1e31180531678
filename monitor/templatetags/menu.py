"""The menu for the frame of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from monitor import menu

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
