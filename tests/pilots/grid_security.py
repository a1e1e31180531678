"""The files of grid security: an authority and its list, a host, and what a port with TLS needs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from tests.identity.x509.grid_ca import Authority, Holder


@dataclass(frozen=True, kw_only=True)
class GridSecurity:
    """As below /etc/grid-security, in a folder of the test."""

    folder: Path
    ca: Authority

    @classmethod
    def make(cls, folder: Path) -> GridSecurity:
        """OpenSSL and curl ask the clock of this machine, so it is about now."""
        security = cls(folder=folder, ca=Authority(now=dt.datetime.now(dt.UTC)))
        security.authorities.mkdir(parents=True)
        folder.chmod(0o755)
        security.root.write_bytes(security.ca.pem)
        security.revoke()
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        security.ca.host(address).write(security.host)
        # Apache and curl look authorities up by the hash of their name.
        subprocess.run(["openssl", "rehash", str(security.authorities)], check=True)
        return security

    @property
    def authorities(self) -> Path:
        return self.folder / "certificates"

    @property
    def root(self) -> Path:
        return self.authorities / "ca.pem"

    @property
    def host(self) -> Path:
        return self.folder / "host.pem"

    def revoke(self, *holders: Holder) -> None:
        """The authority's list is of these; in place at once, as fetch-crl puts it."""
        part = self.folder / "part"
        part.write_bytes(self.ca.crl(*holders))
        part.replace(self.authorities / "ca.crl")

    def environment(self) -> dict[str, str]:
        """For a site with a TLS port of its own."""
        return {
            "PANDASITE_TLS_BIND": "127.0.0.1:0",
            "PANDASITE_TLS_CERTIFICATE": str(self.host),
            "PANDASITE_TLS_KEY": str(self.host),
            "PANDASITE_X509_CA": str(self.authorities),
        }
