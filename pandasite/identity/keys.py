"""The keys of pinned issuers: fetched anew after six hours, kept for two days when that fails.

A key that is not there is asked for at most once a minute, so that tokens with made-up keys cost
the issuer nothing. Each process has a book of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from pandasite.base import outbound
from pandasite.base.errors import Unavailable
from pandasite.base.outbound import CallFailed

log = logging.getLogger(__name__)

REFRESH: Final = dt.timedelta(hours=6)
KEPT: Final = dt.timedelta(days=2)
ASK_AGAIN: Final = dt.timedelta(minutes=1)
SECONDS: Final = 10.0
MOST: Final = 64  # keys of an issuer
ALGORITHMS: Final = {"RSA": "RS256", "EC": "ES256"}
RSA_BITS: Final = 2048

Keys = Mapping[str, PyJWK]


class IssuerAway(Unavailable):
    """No keys of the issuer are known that are young enough."""

    code = "issuer_unavailable"


@dataclass
class _Page:
    """What is known of one issuer."""

    keys: Keys = field(default_factory=dict)
    fetched_at: dt.datetime | None = None
    tried_at: dt.datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def young(self, age: dt.timedelta, now: dt.datetime) -> bool:
        return self.fetched_at is not None and now - self.fetched_at < age

    def may_ask(self, now: dt.datetime) -> bool:
        return self.tried_at is None or now - self.tried_at >= ASK_AGAIN


class KeyBook:
    """Keys by their place (an address or a path) and their `kid`."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}
        self._lock = threading.Lock()

    def key(self, place: str, kid: str, *, now: dt.datetime) -> PyJWK | None:
        """The key, None when the issuer has none of that name. Raises IssuerAway."""
        page = self._page(place)
        known = page.young(REFRESH, now) and kid in page.keys
        if not known and page.may_ask(now):
            self._fetch(page, place, kid, now)
        if not page.young(KEPT, now):
            seconds = ASK_AGAIN.total_seconds()
            words = "the keys of this token's issuer cannot be had: come again"
            raise IssuerAway(words, retry_after=seconds)
        return page.keys.get(kid)

    def forget(self) -> None:
        """As a process that has just begun."""
        with self._lock:
            self._pages.clear()

    def _page(self, place: str) -> _Page:
        with self._lock:
            return self._pages.setdefault(place, _Page())

    def _fetch(self, page: _Page, place: str, kid: str, now: dt.datetime) -> None:
        # One asks; who comes meanwhile takes what there is, or waits where there is nothing.
        if not page.lock.acquire(blocking=not (page.young(KEPT, now) and kid in page.keys)):
            return
        try:
            if not page.may_ask(now):
                return
            page.tried_at = now
            page.keys, page.fetched_at = _keys(_document(place)), now
        except CallFailed as error:
            log.warning("issuer_keys_failed", extra={"keys": place, "error": str(error)})
        finally:
            page.lock.release()


BOOK: Final = KeyBook()


def _document(place: str) -> Any:
    if not place.startswith("/"):
        return outbound.get(place, private=True, seconds=SECONDS)
    try:
        return json.loads(Path(place).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CallFailed(f"{place} cannot be read: {error}") from error


def _keys(document: Any) -> dict[str, PyJWK]:
    """Those that may sign tokens here; CallFailed when it is no set of keys."""
    said = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(said, list):
        raise CallFailed("it is no set of keys (JWKS)")
    found = {}
    for jwk in said[:MOST]:
        key = _key(jwk)
        if key is not None:
            found[str(jwk["kid"])] = key
    return found


def _key(jwk: Any) -> PyJWK | None:
    """A key for RS256 or ES256 that is strong enough; None for all others."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str):
        return None
    algorithm = ALGORITHMS.get(str(jwk.get("kty")))
    if (
        algorithm is None
        or jwk.get("alg", algorithm) != algorithm
        or jwk.get("use", "sig") != "sig"
    ):
        return None
    if algorithm == "ES256" and jwk.get("crv") != "P-256":
        return None
    try:
        key = PyJWK(jwk, algorithm)
    except PyJWTError:
        return None
    return None if algorithm == "RS256" and key.key.key_size < RSA_BITS else key
