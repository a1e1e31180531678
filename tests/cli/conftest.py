"""A user at a keyboard, with a login of his own, and a server to talk to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pandasite.cli import account, door, following
from pandasite.cli.app import app
from tests.cli.calls import Answer, Call


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the login is kept; nobody waits between two tries."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(account.URL, raising=False)
    monkeypatch.delenv(account.TOKEN, raising=False)
    monkeypatch.setattr(door, "rest", lambda seconds: None)
    monkeypatch.setattr(following, "rest", lambda seconds: None)
    return tmp_path


@pytest.fixture
def call() -> Call:
    """Run a command."""

    def run(*words: str, stdin: str = "") -> Answer:
        done = CliRunner().invoke(app, [*words], input=stdin, prog_name="pandasite")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Answer(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def alice(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The user, by the environment; the server knows one VO."""
    from jobs import identity
    from tests.builders import create_user, create_vo

    create_vo()
    user = create_user("alice")
    monkeypatch.setenv(account.URL, live_server.url)
    monkeypatch.setenv(account.TOKEN, identity.new_token(user, days=1))
    return user
