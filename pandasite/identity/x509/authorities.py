"""The certificates of the authorities by their names, read anew when their folder has changed."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from pathlib import Path

from cryptography import x509

from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.listener import readable
from pandasite.identity.x509.proxies import is_authority
from pandasite.identity.x509.proxy_info import UNREADABLE

log = logging.getLogger(__name__)
ByName = dict[x509.Name, list[x509.Certificate]]


class Authorities:
    """Of one folder; of none there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._found: ByName = {}

    def current(self) -> ByName:
        """All that the folder has now. Without it: none."""
        if self._folder is None:
            return {}
        try:
            paths = list(readable(self._folder))
            states = [(str(path), path.stat()) for path in paths]
        except OSError as error:
            log.error("tls_authorities_unreadable", extra={"error": str(error)})
            return {}
        seen = tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
        with self._lock:
            if seen != self._seen:
                self._found, self._seen = read(paths), seen
            return self._found


def read(paths: list[Path]) -> ByName:
    """Files of authorities; lists of revoked certificates are not read here."""
    found: ByName = defaultdict(list)
    for path in paths:
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
            issuing = [each for each in certificates if is_authority(each)]
        except (OSError, CertificateRefused, *UNREADABLE):
            continue  # a list, or nothing of ours: whom it stood for is refused
        for certificate in issuing:
            found[certificate.subject].append(certificate)
    return dict(found)
