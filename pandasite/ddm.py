"""Settings of data management: the system of each VO, secrets shared with others, and Rucio.

`PANDASITE_DDM=atlas=rucio,cms=path.of.Class`. `PANDASITE_DDM_SECRETS=name=secret,name=secret`, or
that in a file, a line each, which PANDASITE_DDM_SECRETS_FILE names. A name may come twice: the
first secret signs, and each is accepted, so that secrets can be exchanged in peace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

from datasets.ddm.choice import KNOWN, RucioServer, parse
from pandasite.environment import Environment

SHORTEST = 32


def ddm_of_vos(environment: Environment) -> dict[str, str]:
    """VO -> path of the class; '' is the built-in system."""
    return parse(environment.words("PANDASITE_DDM"))


def ddm_secrets(environment: Environment) -> dict[str, tuple[str, ...]]:
    """The secrets by name. The text of one never appears in an error."""
    name = "PANDASITE_DDM_SECRETS"
    if not (environment.given(name) or environment.given(f"{name}_FILE")):
        return {}
    text = environment.secret(name, shortest=SHORTEST)
    found: dict[str, list[str]] = defaultdict(list)
    for nr, word in enumerate(text.replace("\n", ",").split(","), start=1):
        if not word.strip():
            continue
        who, equals, secret = (part.strip() for part in word.partition("="))
        if not (who and equals):
            raise ImproperlyConfigured(f"{name} must be name=secret,...; entry {nr} is not.")
        if len(secret) < SHORTEST:
            raise ImproperlyConfigured(
                f"{name}: the secret of {who} must have at least {SHORTEST} characters."
            )
        found[who].append(secret)
    return {who: tuple(secrets) for who, secrets in found.items()}


def rucio_server(environment: Environment, systems: Iterable[str]) -> RucioServer:
    """Where Rucio is; ImproperlyConfigured when a VO's data are there and this does not say."""
    server = RucioServer(
        url=environment.text("PANDASITE_RUCIO_URL").rstrip("/"),
        auth_url=environment.text("PANDASITE_RUCIO_AUTH_URL").rstrip("/"),
        account=environment.text("PANDASITE_RUCIO_ACCOUNT"),
        secret=environment.text("PANDASITE_RUCIO_SECRET", "rucio"),
        ca=environment.text("PANDASITE_RUCIO_CA"),
        activities=_pairs("PANDASITE_RUCIO_ACTIVITIES", environment),
    )
    if KNOWN["rucio"] not in systems:
        return server
    for name, value in (("URL", server.url), ("ACCOUNT", server.account)):
        if not value:
            raise ImproperlyConfigured(
                f"PANDASITE_RUCIO_{name} must be set when PANDASITE_DDM names rucio."
            )
    for name, url in (("URL", server.url), ("AUTH_URL", server.auth_url)):
        if url and not url.startswith(("https://", "http://")):
            raise ImproperlyConfigured(
                f"PANDASITE_RUCIO_{name} must be an http:// or https:// address, not {url!r}."
            )
    return server


def _pairs(name: str, environment: Environment) -> dict[str, str]:
    found = {}
    for word in environment.words(name):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals and value):
            raise ImproperlyConfigured(f"{name} must be OURS=THEIRS,..., not {word!r}.")
        found[key] = value
    return found
