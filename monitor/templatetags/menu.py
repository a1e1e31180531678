"""The menu for the frame of the pages."""

from __future__ import annotations

from collections.abc import Sequence

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
