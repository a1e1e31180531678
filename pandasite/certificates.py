"""Settings of grid certificates: the port that takes them, and the web server in front that may.

All of it is off until the environment names it. `docs/certificates.md` has the table.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from pandasite.environment import Environment
from pandasite.identity.x509.front import Front, Network
from pandasite.identity.x509.listener import TlsFiles

SHORTEST_SECRET = 32
SECRET = "PANDASITE_TRUSTED_PROXY_SECRET"


def authorities_folder(environment: Environment) -> Path | None:
    """Of PANDASITE_X509_CA; ImproperlyConfigured when it is no folder."""
    text = environment.text("PANDASITE_X509_CA")
    if not text:
        return None
    if not Path(text).is_dir():
        raise ImproperlyConfigured(f"PANDASITE_X509_CA must name a folder, not {text!r}.")
    return Path(text)


def tls_files(environment: Environment) -> TlsFiles | None:
    """What a port with TLS of its own needs; None where no certificate for it is named."""
    names = ("PANDASITE_TLS_CERTIFICATE", "PANDASITE_TLS_KEY")
    if not any(environment.given(name) for name in (*names, "PANDASITE_TLS_BIND")):
        return None
    for name in (*names, "PANDASITE_X509_CA"):
        if not environment.given(name):
            raise ImproperlyConfigured(f"{name} must be set for a port with TLS of its own.")
    authorities = authorities_folder(environment)
    assert authorities is not None
    crls = environment.choice("PANDASITE_X509_CRLS", default="require", among=("require", "ignore"))
    certificate, key = (Path(environment.text(name)) for name in names)
    return TlsFiles(
        certificate=certificate, key=key, authorities=authorities, crls=crls == "require"
    )


def front(environment: Environment) -> Front:
    """Whose headers name certificates: PANDASITE_TRUSTED_PROXIES and the secret, or nobody's."""
    name = "PANDASITE_TRUSTED_PROXIES"
    networks = tuple(_network(name, word) for word in environment.words(name))
    secret_given = environment.given(SECRET) or environment.given(f"{SECRET}_FILE")
    if not networks and not secret_given:
        return Front()
    if not networks or not secret_given:
        raise ImproperlyConfigured(f"{name} and {SECRET} belong together: only one is set.")
    return Front(networks=networks, secret=environment.secret(SECRET, shortest=SHORTEST_SECRET))


def _network(name: str, word: str) -> Network:
    try:
        return ipaddress.ip_network(word)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be addresses or networks such as 10.0.0.5 or 10.0.0.0/24, not {word!r}."
        ) from None
