"""The embedded servers come up, keep their data through a crash, and listen on no port."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
import pytest

from pandasite.embedded import postgres as postgres_module
from pandasite.embedded.errors import EmbeddedError
from pandasite.embedded.home import Home
from pandasite.embedded.postgres import database_settings, socket_folder
from pandasite.embedded.process import Identity
from pandasite.embedded.servers import Servers
from pandasite.launcher.supervisor import Layer, Supervisor
from tests.base.homes import alive, asked, family_of, open_folder, reachable_home

NAMES = ["postgres", "valkey"]


@pytest.fixture
def home() -> Iterator[Home]:
    with open_folder() as folder:
        yield reachable_home(folder)


@contextmanager
def running(home: Home) -> Iterator[Supervisor]:
    servers = Servers.of(home, durable=False)
    with Supervisor(logs=home.logs) as supervisor:
        for command in servers.commands():
            supervisor.add_command(command, layer=Layer.SERVER)
        supervisor.wait_for(NAMES, servers.ready, seconds=60)
        yield supervisor


def ask(home: Home, statement: str) -> list[tuple[object, ...]]:
    """Runs one statement as the application does; the rows, if there are any."""
    chosen = database_settings(home, Servers.of(home).postgres.keys)
    connection = psycopg2.connect(
        host=chosen["HOST"],
        port=chosen["PORT"],
        dbname=chosen["NAME"],
        user=chosen["USER"],
        password=chosen["PASSWORD"],
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_both_servers_start_listen_on_no_port_and_leave_nothing_behind(home):
    with running(home) as supervisor:
        family = [one for pid in supervisor.running().values() for one in family_of(pid)]

        listening = asked(family, lambda one: one.net_connections(kind="inet"))
        assert listening and not any(connections for _one, connections in listening)
        assert ask(home, "SHOW server_encoding") == [("UTF8",)]

    assert alive(family) == []
    assert list(socket_folder(home).iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
def test_no_server_of_root_runs_as_root_and_no_password_is_on_a_command_line(home):
    with running(home) as supervisor:
        processes = [psutil.Process(pid) for pid in supervisor.running().values()]

        assert {one.uids().effective for one in processes} == {home.server_user.uid}
        keys = Servers.of(home).postgres.keys
        words = " ".join(word for one in processes for word in one.cmdline())
        assert keys.superuser_password not in words
        assert keys.broker_password not in words


def test_the_application_is_no_superuser(home):
    with running(home):
        row = ask(home, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")

    assert row == [(False,)]


def test_rows_survive_a_killed_server_and_it_comes_back_by_itself(home):
    with running(home) as supervisor:
        ask(home, "CREATE TABLE kept AS SELECT 7 AS n")
        family = family_of(supervisor.pid("postgres"))
        for one in family:
            with suppress(ProcessLookupError):  # one that served the question may just have ended
                os.kill(one.pid, signal.SIGKILL)

        servers = Servers.of(home)
        supervisor.children["postgres"].process.wait(timeout=60)
        supervisor.wait_for(["postgres"], servers.ready, seconds=30)

        assert ask(home, "SELECT n FROM kept") == [(7,)]


def test_a_zombie_of_before_does_not_stop_the_next_start(home):
    """A killed postmaster that PID 1 has not buried yet still has its number in postmaster.pid."""
    with running(home):
        pass
    with subprocess.Popen(["true"]) as zombie:
        started = Identity.of(zombie.pid).created
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        lock = home.path / "postgres" / "postmaster.pid"
        lock.write_text(f"{zombie.pid}\n{lock.parent}\n{int(started)}\n")

        with running(home):
            assert ask(home, "SELECT 1") == [(1,)]


def test_a_start_waits_for_a_living_server_of_before_and_then_names_it(home, monkeypatch):
    servers = Servers.of(home, durable=False)
    with running(home) as supervisor:
        pid = supervisor.pid("postgres")

        with pytest.raises(EmbeddedError, match=f"process {pid}. still holds .*manage.py down"):
            servers.postgres._await_predecessor(seconds=0.1)

        assert ask(home, "SELECT 1") == [(1,)]


def test_a_broken_off_initdb_leaves_no_half_a_cluster(home):
    home.make()
    half = home.path / "postgres.new"
    home.make_for_server(half)
    (half / "PG_VERSION").write_text("18\n")

    with running(home):
        assert ask(home, "SELECT 1") == [(1,)]

    assert not half.exists()


def test_data_of_another_version_is_refused_with_the_way_out(home):
    with running(home):
        pass
    (home.path / "postgres" / "PG_VERSION").write_text("15\n")

    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 15.*pg_dump"):
        Servers.of(home).postgres.prepare()


def test_a_long_data_folder_works_too():
    with open_folder() as folder:
        home = reachable_home(folder / ("d" * 80))
        assert home.sockets.parent == Path("/tmp")
        try:
            with running(home):
                assert ask(home, "SELECT 1") == [(1,)]
        finally:
            for leftover in sorted(home.sockets.rglob("*"), reverse=True):
                leftover.rmdir() if leftover.is_dir() else leftover.unlink()
            home.sockets.rmdir()


def test_only_what_is_said_to_be_durable_is_synced_to_disk():
    assert "fsync" not in postgres_module.SERVER_SETTINGS
    assert postgres_module.SERVER_SETTINGS["synchronous_commit"] == "on"


def test_the_test_session_itself_is_such_a_home(broker, db):
    """These fixtures are what every other test stands on."""
    from django.db import connection

    broker.set("word", "kept")
    assert broker.get("word") == b"kept"
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("4min",)
