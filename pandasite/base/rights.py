"""Rights that hold for some things only, as far as the ground must know of them.

`user.has_perm(permission, thing)` asks whether the user may do it to this thing: a site, or what
is at a site. The backend of `pandasite/identity` answers.
"""

from __future__ import annotations

from typing import Any, Final

SOMEWHERE: Final = "somewhere"


def may(user: Any, permission: str, thing: Any = SOMEWHERE) -> bool:
    """Whether this user may do it to the thing."""
    return bool(user.has_perm(permission, thing))


def may_somewhere(user: Any, permission: str) -> bool:
    """Whether there can be a thing to which this user may do it: shall there be a button at all?"""
    return may(user, permission)
