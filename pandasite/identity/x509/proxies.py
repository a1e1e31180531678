"""What a proxy must be, and may not be, to stand for its owner (RFC 3820, section 3 and 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.proxy_info import (
    INDEPENDENT,
    INHERIT_ALL,
    LIMITED,
    PROXY_CERT_INFO,
    extensions_of,
    info_of,
)

SKEW: Final = dt.timedelta(minutes=15)  # makers of proxies let them begin some minutes ago
KNOWN_CRITICAL: Final = {
    PROXY_CERT_INFO,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
}
NO_NAMES: Final = (ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.ISSUER_ALTERNATIVE_NAME)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many proxies may stand in a row, and for how long each may be made."""

    depth: int = 3
    life: dt.timedelta = dt.timedelta(hours=24)


def check(row: Sequence[x509.Certificate], *, now: dt.datetime, limits: Limits) -> None:
    """Proxies, the client's own first, and their owner as the last. CertificateRefused."""
    count = len(row) - 1
    if count > limits.depth:
        raise CertificateRefused(f"{count} proxies in a row, {limits.depth} may be")
    for below in range(count):
        proxy, issuer = row[below], row[below + 1]
        _check_policy(proxy, below=below)
        _check_name(proxy, issuer)
        _check_extensions(proxy, issuer)
        check_time(proxy, now=now, what="proxy")
        _check_life(proxy, limits.life)


def check_time(certificate: x509.Certificate, *, now: dt.datetime, what: str) -> None:
    """CertificateRefused before its time (but for the skew) and after it."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        raise CertificateRefused(f"this {what} ended at {ends:%Y-%m-%d %H:%M} UTC")
    if now < begins - SKEW:
        raise CertificateRefused(f"this {what} begins at {begins:%Y-%m-%d %H:%M} UTC")


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue certificates, by its basicConstraints. CertificateRefused."""
    try:
        found = extensions_of(certificate).get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        # Roots of the first version have no extensions, and issue for themselves.
        return certificate.version == x509.Version.v1 and certificate.issuer == certificate.subject
    return found.value.ca


def last_name(certificate: x509.Certificate) -> str:
    """The CN that stands last in its name, empty when the last part is no CN."""
    parts = list(certificate.subject)
    found = parts[-1] if parts else None
    return str(found.value) if found and found.oid == NameOID.COMMON_NAME else ""


def _check_policy(proxy: x509.Certificate, *, below: int) -> None:
    """`below`: how many proxies were made from this one, one from the other."""
    info = info_of(proxy)
    language = info.policy.language.dotted_string
    if language == LIMITED or last_name(proxy) == "limited proxy":
        raise CertificateRefused("a limited proxy may move files, and do nothing here")
    if language == INDEPENDENT:
        raise CertificateRefused("an independent proxy has none of its owner's rights")
    if language != INHERIT_ALL or info.policy.policy is not None:
        raise CertificateRefused(f"the policy {language} of a proxy is not known here")
    if info.path_length is not None and not 0 <= below <= info.path_length:
        raise CertificateRefused(
            f"{below} proxies were made from one that allows {info.path_length}"
        )


def _check_name(proxy: x509.Certificate, issuer: x509.Certificate) -> None:
    """The name is the issuer's and one CN more: else it would be somebody else's."""
    rdns, given = list(proxy.subject.rdns), list(issuer.subject.rdns)
    last = list(rdns[-1]) if rdns else []
    one_more = len(last) == 1 and last[0].oid == NameOID.COMMON_NAME
    if proxy.issuer != issuer.subject or rdns[:-1] != given or not one_more:
        raise CertificateRefused("the name of a proxy must be its owner's and one CN more")


def _check_extensions(proxy: x509.Certificate, issuer: x509.Certificate) -> None:
    if is_authority(proxy) or is_authority(issuer):
        raise CertificateRefused("an authority is no proxy and makes none")
    for extension in extensions_of(proxy):
        if extension.oid in NO_NAMES:
            raise CertificateRefused("a proxy has no other names")
        if extension.critical and extension.oid not in KNOWN_CRITICAL:
            raise CertificateRefused(
                f"the critical extension {extension.oid.dotted_string} of a proxy is not known here"
            )
    try:
        usage = extensions_of(issuer).get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.digital_signature:
        raise CertificateRefused("the owner's certificate may not sign, so it makes no proxies")


def _check_life(proxy: x509.Certificate, most: dt.timedelta) -> None:
    life = proxy.not_valid_after_utc - proxy.not_valid_before_utc
    if life > most + SKEW:
        hours = life.total_seconds() / 3600
        allowed = most.total_seconds() / 3600
        raise CertificateRefused(f"this proxy was made for {hours:.1f} h, {allowed:g} h may be")
