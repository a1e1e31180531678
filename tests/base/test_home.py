"""Where the data lives, and that no folder of others is changed."""

import os
import stat
from pathlib import Path

import pytest

from pandasite.embedded.errors import EmbeddedError
from pandasite.embedded.home import LONGEST_SOCKET_PATH, Home, ServerUser
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import socket_folder
from pandasite.embedded.valkey import socket_path
from tests.base.homes import home_in, open_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root is told apart from other users")
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="is about users other than root")


def test_the_default_is_a_folder_beside_the_code():
    with open_folder() as repository:
        assert Home.choose(asked="", repository=repository).path == repository / "var"


def test_a_relative_folder_is_taken_from_where_the_command_runs(monkeypatch):
    with open_folder() as here:
        monkeypatch.chdir(here)

        assert Home.choose(asked="data", repository=here).path == here / "data"


@as_root
def test_root_goes_elsewhere_when_the_servers_cannot_reach_the_code():
    with open_folder() as repository:
        repository.chmod(0o700)

        home = Home.choose(asked="", repository=repository)

        assert home.path.parent == Path("/var/lib")
        assert home.path.name.startswith("pandasite-")
        assert stat.S_IMODE(repository.stat().st_mode) == 0o700


@as_root
def test_root_is_refused_a_named_folder_that_the_servers_cannot_reach():
    with open_folder() as folder:
        folder.chmod(0o700)

        with pytest.raises(EmbeddedError, match=f"the user nobody, to whom {folder} is closed"):
            Home.choose(asked=str(folder / "data"), repository=folder)


@as_root
def test_without_servers_any_folder_will_do_for_root():
    with open_folder() as folder:
        folder.chmod(0o700)

        home = Home.choose(asked=str(folder), repository=folder, with_servers=False)

        assert home.path == folder


def test_passing_is_judged_by_owner_then_group_then_others(tmp_path):
    owner, group = tmp_path.stat().st_uid, tmp_path.stat().st_gid
    tmp_path.chmod(0o701)

    assert ServerUser(uid=owner, gid=group).may_pass(tmp_path)
    assert not ServerUser(uid=owner + 1, gid=group).may_pass(tmp_path)
    assert ServerUser(uid=owner + 1, gid=group + 1).may_pass(tmp_path)


def test_new_folders_let_the_servers_pass_whatever_the_umask():
    with open_folder() as folder:
        home = Home(path=folder / "new" / "data", server_user=ServerUser(uid=65534, gid=65534))
        before = os.umask(0o077)
        try:
            home.make()
        finally:
            os.umask(before)

        assert home.server_user.first_closed(home.run) is None


@as_root
def test_data_that_another_user_made_is_not_taken_over():
    with open_folder() as folder:
        home = Home.choose(asked=str(folder), repository=folder)
        (folder / "postgres").mkdir()

        with pytest.raises(EmbeddedError, match="start pandasite as the user who made it"):
            home.make_for_server(folder / "postgres")


def test_a_long_path_moves_the_sockets_to_a_short_one(tmp_path):
    short = home_in(Path("/srv"))
    long = home_in(tmp_path / ("d" * 60) / ("e" * 60))

    assert short.sockets == short.run
    assert long.sockets.parent == Path("/tmp")
    for home in (short, long):
        for path in (f"{socket_folder(home)}/.s.PGSQL.5432.lock", str(socket_path(home))):
            assert len(path) <= LONGEST_SOCKET_PATH


def test_a_socket_folder_that_somebody_else_made_first_is_refused(tmp_path):
    home = home_in(tmp_path / ("d" * 100))
    home.sockets.symlink_to(tmp_path)

    try:
        with pytest.raises(EmbeddedError, match="is a symbolic link"):
            home.make()
    finally:
        home.sockets.unlink()


@as_root
def test_a_short_folder_of_another_user_is_refused(tmp_path):
    home = home_in(tmp_path / ("d" * 100))
    home.sockets.mkdir()
    os.chown(home.sockets, 65534, 65534)

    try:
        with pytest.raises(EmbeddedError, match="belongs to another user"):
            home.make()
    finally:
        home.sockets.rmdir()


@as_user
def test_a_folder_that_cannot_be_written_is_told_with_the_way_out():
    with pytest.raises(EmbeddedError, match="set PANDASITE_DATA to a folder that you can write"):
        Home(path=Path("/proc/pandasite")).make()


def test_the_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path):
    file = tmp_path / "secrets.json"

    first, second = Keys.of(file), Keys.of(file)

    assert first == second
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]
    assert len(first.secret_key) >= 50


def test_whoever_comes_second_takes_the_first_ones_secrets(tmp_path, monkeypatch):
    """Two processes that start together both find no file."""
    file = tmp_path / "secrets.json"
    first = Keys.of(file)
    monkeypatch.setattr(Path, "exists", lambda path: False)

    assert Keys.of(file) == first


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"secret_key": "x"}'])
def test_damaged_secrets_are_not_replaced(tmp_path, content):
    file = tmp_path / "secrets.json"
    file.write_text(content)

    with pytest.raises(EmbeddedError, match="is damaged"):
        Keys.of(file)

    assert file.read_text() == content
