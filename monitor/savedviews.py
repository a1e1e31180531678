"""Views that people save: a search of the job list under a name, to come back to and to share."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import QueryDict

from monitor import joblist
from monitor.models import SavedView
from pandasite.base.errors import BadInput, NotThere, TooMuch, field_error

MOST = 200  # of one person
LONGEST_NAME = 80
LONGEST_QUERY = 4000


def mine(user: Any) -> list[SavedView]:
    """The views of somebody; none of who has not logged in."""
    return list(SavedView.objects.filter(owner=user)) if user.is_authenticated else []


def save(user: Any, *, name: str, query: str, now: dt.datetime) -> SavedView:
    """Keep a search under a name, over an older one of that name. Raises BadInput and TooMuch."""
    name = _checked_name(name)
    if len(query) > LONGEST_QUERY:
        raise _refused("query", f"query must have at most {LONGEST_QUERY} characters")
    wanted = joblist.parse(QueryDict(query.lstrip("?")), now=now)
    others = SavedView.objects.filter(owner=user).exclude(name=name)
    if others.count() >= MOST:
        raise TooMuch(f"one person has at most {MOST} views: delete one first")
    kept = {"query": wanted.query(), "saved_at": now}
    view, _made = SavedView.objects.update_or_create(owner=user, name=name, defaults=kept)
    return view


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        words = f"name must have 1 to {LONGEST_NAME} characters, not {len(name)}"
        raise _refused("name", words)
    if not name.isprintable():
        raise _refused("name", "name must be one line without control characters")
    return name


def _refused(field: str, words: str) -> BadInput:
    return BadInput(words, code="bad_value", fields=[field_error(field, words, code="bad_value")])


def delete(user: Any, pk: int) -> None:
    """Forget a view of one's own; NotThere for those of others."""
    gone, _by_model = SavedView.objects.filter(owner=user, pk=pk).delete()
    if not gone:
        raise NotThere(f"you have no view {pk}")


def shared(pk: int) -> SavedView:
    """A view of anybody's: who has its address may read it."""
    found = SavedView.objects.filter(pk=pk).first()
    if found is None:
        raise NotThere(f"there is no view {pk}: its owner has deleted it")
    return found
