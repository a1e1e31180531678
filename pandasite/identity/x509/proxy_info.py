"""The extension that makes a certificate a proxy: proxyCertInfo of RFC 3820."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1

from pandasite.identity.x509.errors import CertificateRefused

PROXY_CERT_INFO: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14")
BEFORE_RFC_3820: Final = x509.ObjectIdentifier("1.3.6.1.4.1.3536.1.222")
INHERIT_ALL: Final = "1.3.6.1.5.5.7.21.1"
INDEPENDENT: Final = "1.3.6.1.5.5.7.21.2"
LIMITED: Final = "1.3.6.1.4.1.3536.1.1.1.9"
# What is raised for a certificate that is none, or has something in it that makes no sense.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@asn1.sequence
class ProxyPolicy:
    """How much of its owner's rights a proxy has."""

    language: x509.ObjectIdentifier
    policy: bytes | None


@asn1.sequence
class ProxyCertInfo:
    """How many proxies may follow (None: any number), and the policy."""

    path_length: int | None
    policy: ProxyPolicy


def extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """All of them. CertificateRefused when one is there twice or cannot be read."""
    try:
        return certificate.extensions
    except UNREADABLE:
        raise CertificateRefused("the extensions of a certificate cannot be read") from None


def is_proxy(certificate: x509.Certificate) -> bool:
    """Whether it says so of itself. CertificateRefused when its extensions cannot be read."""
    return _extension(certificate) is not None


def info_of(certificate: x509.Certificate) -> ProxyCertInfo:
    """What a proxy says of itself. CertificateRefused."""
    extension = _extension(certificate)
    assert extension is not None
    if not extension.critical:
        raise CertificateRefused("the proxyCertInfo of a proxy must be critical")
    value = extension.value
    assert isinstance(value, x509.UnrecognizedExtension)
    try:
        return asn1.decode_der(ProxyCertInfo, value.value)
    except ValueError:
        raise CertificateRefused("the proxyCertInfo of a proxy cannot be read") from None


def _extension(certificate: x509.Certificate) -> x509.Extension[x509.ExtensionType] | None:
    try:
        return extensions_of(certificate).get_extension_for_oid(PROXY_CERT_INFO)
    except x509.ExtensionNotFound:
        return None
