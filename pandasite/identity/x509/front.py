"""Certificates that a web server in front has verified, from the headers that it hands on.

Headers can be sent by anybody. So nothing of them is read unless the administrator names the
addresses of the servers in front and a secret that only these know; then all of it must be right,
and what is not is answered 400. The names have no dash: none that differs from them by an
underscore can slip through a server in front and be taken for one of them.
"""

from __future__ import annotations

import hmac
import ipaddress
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pandasite.base.errors import BadInput
from pandasite.identity.x509.chain import proxy_row
from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.proxy_info import UNREADABLE

VERIFY: Final = "Clientverify"
CERTIFICATE: Final = "Clientcertificate"
CHAIN: Final = "Clientchain"  # and 0, 1, ...: what the client sent beyond its own
SECRET: Final = "Clientsecret"
# Of META: who has connected, where REMOTE_ADDR has become the client's. No header can set it.
PEER: Final = "pandasite.peer"
CHAIN_MOST: Final = 10
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Authorities = Callable[[], Mapping[x509.Name, Sequence[x509.Certificate]]]


@dataclass(frozen=True, kw_only=True)
class Front:
    """Who may say whose a certificate is; without networks nobody may."""

    networks: tuple[Network, ...] = ()
    secret: str = field(default="", repr=False)

    @property
    def is_on(self) -> bool:
        return bool(self.networks and self.secret)


def chain_of(meta: Mapping[str, Any], front: Front, authorities: Authorities) -> list[bytes]:
    """The client's certificate and its proxies' owners, as DER; empty when none is spoken of.

    BadInput (400) when the headers are not those of a server in front that knows what it does,
    CertificateRefused when a proxy is not made by whom it names.
    """
    if not front.is_on or not any(_names(meta)):
        return []
    if not is_front(meta, front):
        raise BadInput(
            "certificates are named in headers by the web server in front of this site alone",
            code="client_certificate",
        )
    said = _value(meta, VERIFY)
    if said is None and CERTIFICATE in _names(meta):
        raise BadInput(f"{CERTIFICATE} without {VERIFY}", code="client_certificate")
    if said == "NONE" and CERTIFICATE not in _names(meta):
        return []
    if said != "SUCCESS":
        raise _bad(VERIFY, "must be SUCCESS, or NONE when there is no certificate")
    row = proxy_row([_certificate(meta, name) for name in _present(meta)])
    known = authorities()
    if known or len(row) > 1:
        _check_signatures(row, known)
    return [each.public_bytes(Encoding.DER) for each in row]


def _names(meta: Mapping[str, Any]) -> list[str]:
    return [name for name in (VERIFY, CERTIFICATE, *_chain_names()) if _key(name) in meta]


def _chain_names() -> list[str]:
    return [f"{CHAIN}{place}" for place in range(CHAIN_MOST)]


def _present(meta: Mapping[str, Any]) -> list[str]:
    """The client's own first; a chain ends where its next header is missing."""
    found = [CERTIFICATE]
    for name in _chain_names():
        if _key(name) not in meta:
            break
        found.append(name)
    return found


def _key(name: str) -> str:
    return f"HTTP_{name.upper()}"


def is_front(meta: Mapping[str, Any], front: Front) -> bool:
    """Whether a request comes from the server in front, which knows the secret."""
    try:
        peer = ipaddress.ip_address(str(meta.get(PEER, meta.get("REMOTE_ADDR", ""))))
    except ValueError:
        return False
    given = str(meta.get(_key(SECRET), "")).encode()
    same = hmac.compare_digest(given, front.secret.encode())
    return front.is_on and any(peer in network for network in front.networks) and same


def _value(meta: Mapping[str, Any], name: str) -> str | None:
    """What stands there, once; None when it does not. BadInput when it is no value."""
    text = meta.get(_key(name))
    if text is None:
        return None
    if text in ("", "(null)"):
        raise _bad(name, "is empty")
    if "," in text:
        raise _bad(name, "stands there more than once")
    return str(text)


def _certificate(meta: Mapping[str, Any], name: str) -> x509.Certificate:
    """From PEM, percent-encoded (nginx) or with blanks for its line ends (Apache)."""
    text = _value(meta, name)
    if text is None:
        raise _bad(name, "is missing")
    text = unquote(text).strip()
    inner = text.removeprefix(BEGIN).removesuffix(END)
    if len(inner) != len(text) - len(BEGIN) - len(END):
        raise _bad(name, "is not one certificate in PEM")
    pem = "\n".join([BEGIN, *inner.split(), END])
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except UNREADABLE:
        raise _bad(name, "is not one certificate in PEM") from None


def _check_signatures(
    row: Sequence[x509.Certificate], known: Mapping[x509.Name, Sequence[x509.Certificate]]
) -> None:
    """The header has what the client sent; it is proved here that it belongs together."""
    for proxy, issuer in itertools.pairwise(row):
        if not _issued(proxy, issuer):
            raise CertificateRefused("a proxy was not made by the certificate that follows it")
    owner = row[-1]
    if not any(_issued(owner, each) for each in known.get(owner.issuer, ())):
        raise CertificateRefused("the owner's certificate is of no authority known here")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _bad(name: str, why: str) -> BadInput:
    return BadInput(f"the header {name} {why}", code="client_certificate")
