"""The test session's own PostgreSQL and Valkey, started by the same code as the product's.

One pair of servers per session, also under xdist: the controller starts them before its workers,
which find them through the environment. Each worker has a database and a broker number of its own.
The servers die with the session, and their folder below the temporary one is removed.

This file is read before the settings are, because pytest-django is told of them here only.
"""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from pandasite.embedded.home import Home, temporary_home
from pandasite.embedded.keys import Keys
from pandasite.embedded.servers import Servers
from pandasite.embedded.valkey import socket_path
from pandasite.launcher.supervisor import Layer, Supervisor
from tests import migrated, spreading

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # gw0, gw1 ... ; empty in the controller
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# On a busy machine a test may think for long between two statements, and wait for those of others.
PATIENT = (
    "-c statement_timeout=4min -c idle_in_transaction_session_timeout=4min -c lock_timeout=1min"
)
OURS = (
    "DATABASE_URL", "PRODDB_URL", "BROKER_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "LOG_LEVEL",
)  # fmt: skip

# How fast a shared machine is says nothing about us.
hypothesis_settings.register_profile(
    "shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("shared-machine")

if settings.configured and not WORKER:
    pytest.exit("Unset DJANGO_SETTINGS_MODULE: the tests start servers of their own.", 4)


def pytest_configure(config: pytest.Config) -> None:
    """Names the settings; pytest-django comes after us and sets Django up."""
    if not WORKER:
        _forget_the_environment()
        os.environ["PANDASITE_DATA"] = str(temporary_home().path)
        os.environ["PANDASITE_DASHBOARD_SECONDS"] = "0"  # a test looks at what it has just made
        os.environ["PANDASITE_EVENT_QUEUE"] = "0"  # no thread writes beside a test
        # All tests call from one address, and a pilot of theirs without a pause.
        for limit in ("NODE_CALLS", "BAD_TOKENS", "BAD_LOGINS"):
            os.environ[f"PANDASITE_{limit}"] = "0"
    os.environ["DJANGO_SETTINGS_MODULE"] = "pandasite.settings"
    settings.STORAGES["staticfiles"] = {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"  # needs no collectstatic
    }
    # The one of the product takes a fifth of a second for each password.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.CELERY_BROKER_URL += f"?virtual_host={_number()}"
    for database in settings.DATABASES.values():
        database["OPTIONS"]["options"] = PATIENT


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before xdist starts its workers."""
    if WORKER or session.config.option.collectonly:
        return
    home: Home = settings.PANDASITE_HOME
    servers = Servers.of(home, durable=False)
    supervisor = Supervisor(logs=home.logs)
    session.config.stash[SUPERVISOR] = supervisor
    for command in servers.commands():
        supervisor.add_command(command, layer=Layer.SERVER)
    supervisor.wait_for(["postgres", "valkey"], servers.ready, seconds=180)
    session.config.stash[MIGRATION] = migrated.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if WORKER or not settings.configured:
        return
    if migration := config.stash.get(MIGRATION, None):
        migration.kill()
        migration.wait()
    if supervisor := config.stash.get(SUPERVISOR, None):
        supervisor.stop()
    shutil.rmtree(settings.PANDASITE_HOME.path, ignore_errors=True)


SUPERVISOR = pytest.StashKey[Supervisor]()
MIGRATION = pytest.StashKey[subprocess.Popen[bytes]]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> spreading.InOneGo | None:
    return spreading.InOneGo(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    if WORKER and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        worker, workers = _number(), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        names = spreading.names_below(Path(__file__).parent)
        spreading.read(spreading.in_turn(names, worker=worker, workers=workers))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=spreading.place)


def pytest_collection_finish() -> None:
    """What has been read lives as long as the session: nobody need look for garbage there.

    Nor after each 700 objects that are made: that was a tenth of the time of a test.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Before the databases of the tests are made: ours is a copy of one that has its tables."""
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = migrated.wait()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Test databases, which a test that commits leaves as they were, in milliseconds."""
    from jobs import many_claims  # this file is read before Django is set up
    from tests.emptying import Contents

    with django_db_blocker.unblock():
        names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
        # One that no test asks for is not made, and is that of the product.
        first = {alias: Contents.of(alias) for alias, n in names.items() if n.startswith("test_")}

    def empty(case: TransactionTestCase) -> None:
        for alias in case._databases_names(include_mirrors=False):
            first[alias].restore()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield
    many_claims.LINES.close()  # a database that somebody has open is not dropped


@pytest.fixture(autouse=True)
def nothing_bound() -> None:
    """What a test before this one has bound to its log lines is not ours."""
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """A client of this worker's own broker number, emptied before and after."""
    home: Home = settings.PANDASITE_HOME
    with redis.Redis(
        unix_socket_path=str(socket_path(home)),
        password=Keys.of(home.secrets).broker_password,
        db=_number(),
    ) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser for page tests. Without one they are skipped, which CI refuses."""
    named = os.environ.get("CHROMIUM_PATH", "")
    found = named or next((path for name in BROWSERS if (path := shutil.which(name))), "")
    if found:
        return found
    sentence = "No Chromium was found: install it (Debian: apt install chromium)."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def _forget_the_environment() -> None:
    """What a developer has set for the product must not reach the tests."""
    for name in [*os.environ]:
        if name in OURS or name.startswith("PANDASITE_"):
            del os.environ[name]


def _number() -> int:
    """Of this worker: that of its databases in the broker, too."""
    return int(WORKER.removeprefix("gw") or 0)
