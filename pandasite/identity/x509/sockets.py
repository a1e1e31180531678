"""The chain of a client's certificate from gunicorn's own socket: no header has a part in it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Mapping
from typing import Any

from pandasite.identity.x509.errors import CertificateRefused


def chain_of(environ: Mapping[str, Any]) -> list[bytes]:
    """What OpenSSL has verified, as DER, the client's own first; empty when none was shown.

    CertificateRefused where there is a certificate and OpenSSL names no chain.
    """
    sock = environ.get("gunicorn.socket")
    if not isinstance(sock, ssl.SSLSocket) or not sock.getpeercert(binary_form=True):
        return []
    chain = verified(sock)
    if not chain:
        raise CertificateRefused("this TLS session shows no certificate of its own: connect anew")
    return chain


def verified(sock: ssl.SSLSocket) -> list[bytes]:
    """As `get_verified_chain`, which is public from Python 3.13 on."""
    if sys.version_info >= (3, 13):
        return list(sock.get_verified_chain())
    import _ssl

    made = sock._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    return [each.public_bytes(_ssl.ENCODING_DER) for each in made or ()]
