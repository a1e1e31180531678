"""From the certificates that were shown to whom they belong, or a refusal. No database, no socket.

Signatures are not looked at here: what comes in was verified by OpenSSL. What OpenSSL lets through
is looked at: limited proxies, proxies that live for long, long rows of them, and every other thing
by which a proxy could be more than its owner meant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from pandasite.base.errors import BadInput
from pandasite.identity.x509 import names, proxies
from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.proxies import Limits
from pandasite.identity.x509.proxy_info import BEFORE_RFC_3820, UNREADABLE, extensions_of, is_proxy

CERTIFICATES_MOST: Final = 12  # proxies, end entity and authorities
LEGACY: Final = ("proxy", "limited proxy")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Whose certificate it is, by the end entity and its authority, both in RFC 4514.

    `slashes` is the name to show. `proxies`: how many stand before the end entity. `until`: when
    the first of all these ends.
    """

    issuer: str
    subject: str
    slashes: str
    proxies: int
    until: dt.datetime


def whose(chain: Sequence[bytes], *, now: dt.datetime, limits: Limits) -> Shown:
    """The end entity of a verified chain of DER, the client's own first. CertificateRefused."""
    certificates = [loaded(der) for der in chain[:CERTIFICATES_MOST]]
    if len(chain) > CERTIFICATES_MOST:
        raise CertificateRefused(f"more than {CERTIFICATES_MOST} certificates in a chain")
    row = proxy_row(certificates)
    depth = len(row) - 1
    proxies.check(row, now=now, limits=limits)
    _check_end_entity(row[-1], certificates[depth + 1 :], now=now)
    return _shown(row)


def proxy_row(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The proxies and the end entity, which is the first that is none. CertificateRefused."""
    for place, certificate in enumerate(certificates):
        if not is_proxy(certificate):
            return list(certificates[: place + 1])
    raise CertificateRefused("the certificate of the proxy's owner was not sent with it")


def loaded(der: bytes) -> x509.Certificate:
    """CertificateRefused when it is none."""
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE:
        raise CertificateRefused("this is not a certificate") from None


def _check_end_entity(
    certificate: x509.Certificate, above: Sequence[x509.Certificate], *, now: dt.datetime
) -> None:
    proxies.check_time(certificate, now=now, what="certificate")
    if proxies.is_authority(certificate):
        raise CertificateRefused("this certificate is that of an authority, not of a client")
    if _has(certificate, BEFORE_RFC_3820):
        raise CertificateRefused("this proxy is older than RFC 3820: make a new one")
    name = proxies.last_name(certificate)
    if name in LEGACY:
        raise CertificateRefused(f"this proxy (CN={name}) has no proxyCertInfo: make a new one")
    if above and not proxies.is_authority(above[0]):
        raise CertificateRefused("this certificate was issued by one that is no authority")


def _has(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bool:
    return any(extension.oid == oid for extension in extensions_of(certificate))


def _shown(row: Sequence[x509.Certificate]) -> Shown:
    owner = row[-1]
    try:
        return Shown(
            issuer=names.spelled(owner.issuer),
            subject=names.spelled(owner.subject),
            slashes=names.slashes(owner.subject),
            proxies=len(row) - 1,
            until=min(certificate.not_valid_after_utc for certificate in row),
        )
    except (BadInput, ValueError) as error:
        raise CertificateRefused(f"this certificate's names cannot be read: {error}") from None
