"""Whose the certificate of a request is, by the table of identities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from pandasite.base.errors import NotAllowed
from pandasite.identity.people import Banned, known_as
from pandasite.identity.x509 import front, sockets
from pandasite.identity.x509.chain import whose
from pandasite.identity.x509.errors import CertificateUnknown
from pandasite.identity.x509.proxies import Limits


def chain_of(meta: Mapping[str, Any]) -> list[bytes]:
    """What a request (its META) came with, by the socket, else by a web server in front.

    Empty when it has no certificate. CertificateRefused, NotAllowed for browsers, BadInput for
    headers that nobody may send.
    """
    authorities = settings.PANDASITE_AUTHORITIES.current
    chain = sockets.chain_of(meta) or front.chain_of(meta, settings.PANDASITE_FRONT, authorities)
    if chain:
        _refuse_browsers(meta)
    return chain


def user_of(chain: Sequence[bytes], *, now: dt.datetime) -> User:
    """Whose this verified chain is: CertificateRefused, CertificateUnknown, Banned."""
    shown = whose(chain, now=now, limits=_limits())
    user = known_as(shown.issuer, shown.subject, now=now)
    if user is None:
        raise CertificateUnknown(
            f"nobody here has the certificate {shown.slashes} of {shown.issuer};"
            " an administrator can enter it"
        )
    if not user.is_active:
        raise Banned
    return user


def _limits() -> Limits:
    ours = settings.PANDASITE
    life = dt.timedelta(hours=ours["PROXY_HOURS"])
    return Limits(depth=ours["PROXY_DEPTH"], life=life)


def _refuse_browsers(meta: Mapping[str, Any]) -> None:
    """A browser shows its certificate for any page that makes it call here, also for a foreign one.

    Programs do not say where a call comes from, but for panda-client, whose Origin is a VO.
    """
    origin = str(meta.get("HTTP_ORIGIN", ""))
    if "HTTP_SEC_FETCH_SITE" in meta or "://" in origin or origin == "null":
        raise NotAllowed("certificates are for programs; in a browser, log in", code="no_browsers")
