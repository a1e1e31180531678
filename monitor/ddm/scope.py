"""What a page of the DDM dashboard looks at: a window, two ends of links, an activity and a VO."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.urls import reverse

from datasets.models import SiteStorage, StorageElement, TransferDay, TransferSum
from monitor.lists import Field
from monitor.params import Params
from monitor.words import window_start
from pandasite.base.params import refuse

WINDOWS = {"1h": "1 h", "4h": "4 h", "24h": "24 h", "7d": "7 d"}
DEFAULT_WINDOW = "4h"
LEVELS = ("cloud", "site", "storage")
KNOWN = ("window", "by", "source", "destination", "activity", "vo")
NO_SOURCE = "(not chosen)"
NOWHERE = "(none)"
Rows = TypeVar("Rows", bound=QuerySet[Any])


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a storage element is: its own name, the first site that writes to it, the cloud."""

    storage: str
    site: str
    cloud: str


class Places:
    """The storage elements by key."""

    def __init__(self) -> None:
        links = SiteStorage.objects.select_related("site__cloud").order_by("role", "site__name")
        homes: dict[int, SiteStorage] = {}
        for link in links:
            homes.setdefault(link.storage_id, link)
        self._places = {
            pk: Place(
                storage=name,
                site=homes[pk].site.name if pk in homes else NOWHERE,
                cloud=homes[pk].site.cloud.name if pk in homes else NOWHERE,
            )
            for pk, name in StorageElement.objects.values_list("pk", "name")
        }

    def label(self, key: int | None, level: str) -> str:
        """What the place of a storage element is called on a level."""
        return NO_SOURCE if key is None else str(getattr(self._places[key], level))

    def within(self, level: str, name: str) -> set[int]:
        """The storage elements of a cloud or a site, or the one of that name."""
        return {key for key, place in self._places.items() if getattr(place, level) == name}

    def names(self, level: str) -> list[str]:
        """All of a level."""
        return sorted({getattr(place, level) for place in self._places.values()})


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of links: `cloud:US`, `site:AGLT2` or `storage:AGLT2_DISK`; '' = any."""

    text: str = ""
    keys: frozenset[int] | None = None
    unchosen: bool = False

    @property
    def level(self) -> str:
        return self.text.partition(":")[0]

    def holds(self, name: str) -> Q:
        """The condition on the column of this name."""
        if self.unchosen:
            return Q(**{f"{name}__isnull": True})
        return Q() if self.keys is None else Q(**{f"{name}__in": self.keys})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What was asked for."""

    window: str
    by: str
    source: End
    destination: End
    activity: str
    vo: str
    now: dt.datetime
    places: Places

    @property
    def since(self) -> dt.datetime:
        """A full hour, or for days midnight UTC: so far the sums are by the hour, by the day."""
        start = window_start(self.now, self.hours)
        return start.replace(hour=0) if self.by_day else start

    @property
    def by_day(self) -> bool:
        """Whether the window is longer than sums are kept by the hour."""
        return self.hours > 48

    @property
    def hours(self) -> int:
        return 168 if self.window == "7d" else int(self.window[:-1])

    @cached_property
    def seconds(self) -> float:
        """Of the window, as it is."""
        return max(1.0, (self.now - self.since).total_seconds())

    def of(self, rows: Rows) -> Rows:
        """The rows of the links, the activity and the VO."""
        wanted = self.source.holds("source") & self.destination.holds("destination")
        if self.activity:
            wanted &= Q(activity=self.activity)
        if self.vo:
            wanted &= Q(vo=self.vo)
        return rows.filter(wanted)

    def within(self, rows: Rows) -> Rows:
        """Those of the window."""
        return self.of(rows).filter(hour__gte=self.since)

    @property
    def sums(self) -> QuerySet[Any]:
        """Sums of what ended within the window, by the hour or by the day."""
        if self.by_day:
            return self.within(TransferDay.objects.order_by())
        return self.within(TransferSum.objects.order_by())

    def query(self, **changes: str) -> str:
        """The address of the same with some changes."""
        given = {
            "window": self.window,
            "by": self.by,
            "source": self.source.text,
            "destination": self.destination.text,
            "activity": self.activity,
            "vo": self.vo,
        }
        plain = {"window": DEFAULT_WINDOW, "by": "cloud"}
        kept = {k: v for k, v in {**given, **changes}.items() if v and plain.get(k) != v}
        return "?" + urlencode(kept)

    def url(self, page: str, **changes: str) -> str:
        """The address of another page for the same."""
        return reverse(page) + self.query(**changes)

    def as_json(self) -> dict[str, Any]:
        """The choice, and since when it counts."""
        return {
            "window": self.window,
            "since": self.since,
            "by": self.by,
            "source": self.source.text,
            "destination": self.destination.text,
            "activity": self.activity,
            "vo": self.vo,
        }


def parse(
    given: QueryDict, *, now: dt.datetime, more: Collection[str] = ()
) -> tuple[Scope, Params]:
    """The scope that an address asks for. Raises BadInput."""
    params, places = Params(given, known=(*KNOWN, *more)), Places()
    scope = Scope(
        window=params.choice("window", WINDOWS, default=DEFAULT_WINDOW),
        by=params.choice("by", LEVELS, default="cloud"),
        source=_end(params, "source", places),
        destination=_end(params, "destination", places),
        activity=params.text("activity", longest=32),
        vo=params.text("vo", longest=64),
        now=now,
        places=places,
    )
    return scope, params


def _end(params: Params, name: str, places: Places) -> End:
    text = params.text(name)
    if not text:
        return End()
    if text == NO_SOURCE and name == "source":
        return End(text=text, unchosen=True)
    level, colon, place = text.partition(":")
    keys = places.within(level, place) if level in LEVELS and colon else set()
    if not keys:
        words = f"cloud:, site: or storage: and the name of one that has storage ({_some(places)})"
        raise refuse(name, text, words, code="unknown_place")
    return End(text=text, keys=frozenset(keys))


def _some(places: Places) -> str:
    clouds = places.names("cloud")
    return "clouds: " + ", ".join(clouds[:12]) + (", …" if len(clouds) > 12 else "")


def fields(scope: Scope) -> list[Field]:
    """The filters of the form."""
    known = [f"{level}:{name}" for level in LEVELS for name in scope.places.names(level)][:150]
    return [
        Field(
            name="window", title="Window", value=scope.window, options=[*WINDOWS.items()], any=""
        ),
        Field(name="by", title="By", value=scope.by, options=[(x, x) for x in LEVELS], any=""),
        Field(name="source", title="From", value=scope.source.text, known=known),
        Field(name="destination", title="To", value=scope.destination.text, known=known),
        Field(name="activity", title="Activity", value=scope.activity),
        Field(name="vo", title="VO", value=scope.vo),
    ]
