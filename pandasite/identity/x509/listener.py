"""The TLS of a port of ours that takes proxy certificates; its files are read anew when changed.

A certificate is asked for and not required: programs with a token come by the same port. OpenSSL
proves the chain against the folder of authorities and their lists of revoked certificates. Sessions
are never taken up again: each connection shows its certificate, and is looked up in the lists.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pandasite.identity.x509.patience import PatientSocket

log = logging.getLogger(__name__)
# As folders of grid authorities have them: with links named by the hash of the authority's name.
NAMES: Final = re.compile(r".+\.(pem|crt|cer|crl|[0-9]|r[0-9])", re.IGNORECASE)
Fingerprint = tuple[tuple[str, int, int, int], ...]
# Suites with forward secrecy only, for the TLS 1.2 of old worker nodes.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """What the port needs: its own certificate and key, the folder of authorities.

    `crls`: whether a certificate is refused when its authority has no list of revoked ones that
    holds; else no list is looked at.
    """

    certificate: Path
    key: Path
    authorities: Path
    crls: bool = True


class Contexts:
    """The TLS context of these files, made anew when one of them has changed."""

    def __init__(self, files: TlsFiles) -> None:
        """OSError or ssl.SSLError (which is one) where they make none."""
        self.files = files
        self._lock = threading.Lock()
        self._seen = fingerprint(files)
        self._context = make(files)

    def current(self) -> ssl.SSLContext:
        """For the next connection. Files that make none are logged, and the last ones stay."""
        seen = fingerprint(self.files)
        with self._lock:
            if seen != self._seen:
                self._seen = seen
                try:
                    self._context = make(self.files)
                except OSError as error:
                    log.error("tls_files_unusable", extra={"error": str(error)})
            return self._context

    def hook(self) -> Callable[[Any, Any], ssl.SSLContext]:
        """For gunicorn's setting `ssl_context`, which it calls for each connection."""
        return lambda _config, _default: self.current()


def make(files: TlsFiles) -> ssl.SSLContext:
    """A context with all that the folder has. OSError where there is no way to serve with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = PatientSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.load_cert_chain(files.certificate, files.key)
    for path in readable(files.authorities):
        try:
            context.load_verify_locations(cafile=path)
        except OSError as error:  # whoever it stood for is refused, all others are not
            extra = {"path": str(path), "error": str(error)}
            log.warning("tls_authority_unreadable", extra=extra)
    if not context.get_ca_certs():
        raise FileNotFoundError(f"{files.authorities} has no certificate of an authority")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_ALLOW_PROXY_CERTS
    if files.crls:
        # Of the whole chain: the leaf may be a proxy, which nobody revokes.
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return context


def readable(folder: Path) -> Iterator[Path]:
    """Its authorities and lists, each file once. FileNotFoundError."""
    seen = set()
    for path in sorted(folder.iterdir()):
        if NAMES.fullmatch(path.name) and (real := path.resolve()) not in seen:
            seen.add(real)
            yield path


def fingerprint(files: TlsFiles) -> Fingerprint:
    """Changes when a file comes, goes or is written; one that is away does not count."""
    paths = [files.certificate, files.key]
    try:
        paths += sorted(files.authorities.iterdir())
    except OSError:
        pass  # the last authorities stay
    return tuple(_states(paths))


def _states(paths: list[Path]) -> Iterator[tuple[str, int, int, int]]:
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue
        yield str(path), state.st_mtime_ns, state.st_size, state.st_ino
