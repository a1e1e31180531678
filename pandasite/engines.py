"""Which database and broker to use: the embedded ones, or those the environment names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings, proddb_settings
from pandasite.embedded.valkey import broker_url
from pandasite.environment import Environment

DATABASE_SCHEMES = ("postgres", "postgresql")
BROKER_SCHEMES = ("redis", "rediss", "redis+socket")
SHORTEST_SECRET_KEY = 50
ENGINE = "pandasite.base.postgres"
# No query waits long for another, and a transaction that its owner left open does not stop vacuum.
TIMEOUTS_MS = {"idle_in_transaction_session_timeout": 10_000, "lock_timeout": 3_000}
_LIFTED = re.compile(r"-c (statement_timeout|idle_in_transaction_session_timeout)=\S+ ?")


@dataclass(frozen=True, kw_only=True)
class Engines:
    """Django's database entries, the broker's URL and the secret key. `embedded`: ours.

    proddb: the production database; None where none is named: Bamboo is off.
    """

    embedded: bool
    database: dict[str, Any]
    broker_url: str
    secret_key: str
    proddb: dict[str, Any] | None = None

    @classmethod
    def choose(cls, environment: Environment, home: Home) -> Self:
        """Raises ImproperlyConfigured (EmbeddedError among them) with one sentence."""
        outside = are_outside(environment)
        found = cls._external(environment) if outside else cls._embedded(environment, home)
        for database in filter(None, (found.database, found.proddb)):
            theirs = database.pop("OPTIONS", {})  # such as sslmode, from the URL
            database.update(ENGINE=ENGINE, CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
            # A cursor that outlives its transaction is lost behind a pooler; we need none.
            database["DISABLE_SERVER_SIDE_CURSORS"] = True
            database["OPTIONS"] = _connection_options(environment) | theirs
        if found.proddb:
            found.proddb["OPTIONS"]["application_name"] = "pandasite-bamboo"
            # Its tables are few and plain: made from the models, half a second in each test run.
            found.proddb["TEST"] = {"MIGRATE": False}
        return found

    @classmethod
    def _embedded(cls, environment: Environment, home: Home) -> Self:
        home.make()
        keys = Keys.of(home.secrets)
        return cls(
            embedded=True,
            database=database_settings(home, keys),
            broker_url=broker_url(home, keys),
            secret_key=keys.secret_key,
            proddb=_named_proddb(environment) or proddb_settings(home, keys),
        )

    @classmethod
    def _external(cls, environment: Environment) -> Self:
        database = environment.text("DATABASE_URL")
        broker = environment.text("BROKER_URL")
        _require_scheme("DATABASE_URL", database, DATABASE_SCHEMES)
        _require_scheme("BROKER_URL", broker, BROKER_SCHEMES)
        return cls(
            embedded=False,
            database=_parsed("DATABASE_URL", database),
            broker_url=broker,
            secret_key=environment.secret("SECRET_KEY", shortest=SHORTEST_SECRET_KEY),
            proddb=_named_proddb(environment),
        )


def are_outside(environment: Environment) -> bool:
    """Whether the environment names database and broker; one alone is refused."""
    named = [name for name in ("DATABASE_URL", "BROKER_URL") if environment.given(name)]
    if len(named) == 1:
        raise ImproperlyConfigured(
            f"DATABASE_URL and BROKER_URL belong together: only {named[0]} is set."
        )
    return bool(named)


def _require_scheme(name: str, url: str, schemes: tuple[str, ...]) -> None:
    """The sentence names the scheme only: the URL holds a password."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in schemes:
        starts = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ImproperlyConfigured(f"{name} must start with {starts}.")


def _named_proddb(environment: Environment) -> dict[str, Any] | None:
    """The production database of PRODDB_URL."""
    url = environment.text("PRODDB_URL")
    if not url:
        return None
    _require_scheme("PRODDB_URL", url, DATABASE_SCHEMES)
    return _parsed("PRODDB_URL", url)


def _parsed(name: str, url: str) -> dict[str, Any]:
    try:
        return dict(dj_database_url.parse(url))
    except ValueError:  # its text may hold the password, so it is not repeated
        raise ImproperlyConfigured(
            f"{name} must look like postgres://user:password@host:5432/name."
        ) from None


def statement_seconds(environment: Environment) -> int:
    """For how long a statement may run; 0: no limit is sent."""
    return environment.integer("PANDASITE_STATEMENT_SECONDS", default=15, low=0, high=3600)


def _connection_options(environment: Environment) -> dict[str, Any]:
    """PANDASITE_STATEMENT_SECONDS=0 sends no time limits when connecting.

    For long migrations, and behind a PgBouncer that refuses start-up options; the role then wants
    them by ALTER ROLE ... SET.
    """
    options: dict[str, Any] = {"connect_timeout": 5, "application_name": "pandasite"}
    seconds = statement_seconds(environment)
    if seconds:
        limits = {"statement_timeout": seconds * 1000, **TIMEOUTS_MS}
        options["options"] = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return options


def out_of_reach(error: Exception) -> str:
    """One sentence of an error of the database, if it could not be reached or does not let us in.

    Such an error has no SQLSTATE; one of a statement is '', and needs its trace.
    """
    cause = error.__cause__
    if cause is None or getattr(cause, "pgcode", None) is not None:
        return ""
    words = " ".join(str(cause).split())
    return f"Cannot use the database (DATABASE_URL, or the embedded one): {words}"


@contextmanager
def unhurried(connection: Any) -> Iterator[None]:
    """Within, statements and transactions of a connection of Django's may take as long as they do.

    How long they wait for others' locks stays bounded.
    """
    options = connection.settings_dict["OPTIONS"]
    limits = options.get("options")
    if limits is None:  # PANDASITE_STATEMENT_SECONDS=0: none are sent
        yield
        return
    connection.close()
    options["options"] = _LIFTED.sub("", limits)
    try:
        yield
    finally:
        connection.close()
        options["options"] = limits
