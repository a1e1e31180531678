"""What is sent again and what is not, what is kept where, and how each trouble ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pandasite.cli import account
from pandasite.cli.account import Account
from pandasite.cli.carrying import fetch
from pandasite.cli.door import Door
from pandasite.cli.errors import CommandError, Refused, Unreachable, Wrong
from tests.cli.calls import Call

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = [
    "requests", "django", "rest_framework", "celery", "redis", "psycopg2", "jobs", "datasets",
    "brokerage", "monitor",
]  # fmt: skip


class Script:
    """A server that answers what it was told; `lost` answers are cut off. Keeps what it heard."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes] | str) -> None:
        self.answers = [*answers]
        self.heard: list[tuple[str, dict[str, str], bytes]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.heard.append((self.path, dict(self.headers), body))
                said = script.answers.pop(0)
                if isinstance(said, str):
                    self.close_connection = True
                    return
                status, headers, content = said
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer  # noqa: N815  # names of the standard library

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def scripted() -> Iterator[Any]:
    made: list[Script] = []

    def make(*answers: Any) -> Script:
        made.append(Script(*answers))
        return made[-1]

    yield make
    for script in made:
        script.close()


def good(**body: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def away(seconds: int = 1) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"code": "unavailable", "message": "the database is away"}).encode()
    return 503, {"Retry-After": str(seconds)}, body


def door_to(script: Script) -> Door:
    return Door(Account(url=script.url, token="t"))


def test_what_may_be_repeated_is_sent_again_under_the_same_key(scripted: Any) -> None:
    script = scripted("lost", away(), good(jobs=[]))

    with door_to(script) as door:
        assert door.post("jobs", {"jobs": []}, key="k1") == {"jobs": []}

    assert [headers["Idempotency-Key"] for _, headers, _ in script.heard] == ["k1"] * 3
    assert {body for _, _, body in script.heard} == {b'{"jobs": []}'}


def test_what_has_no_key_is_sent_once_and_the_user_is_told_to_look(scripted: Any) -> None:
    script = scripted("lost", good())

    with door_to(script) as door, pytest.raises(Unreachable) as told:
        door.post("tasks/1/kill", {"reason": "x"})

    assert len(script.heard) == 1
    assert "may have been done" in " ".join(told.value.lines)


def test_a_server_that_stays_away_is_out_of_reach(scripted: Any) -> None:
    script = scripted(*[away()] * 4)

    with door_to(script) as door, pytest.raises(Unreachable, match="the database is away"):
        door.get("tasks")

    assert len(script.heard) == 4


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((200, {"Content-Type": "text/html"}, b"<p>log in"), id="page"),
        pytest.param((500, {"Content-Type": "text/html"}, b"oops"), id="error-page"),
        pytest.param((302, {"Location": "https://x/"}, b""), id="elsewhere"),
    ],
)
def test_what_is_no_answer_of_ours_is_said_to_be_none(scripted: Any, answer: Any) -> None:
    with door_to(scripted(answer)) as door, pytest.raises(Unreachable):
        door.post("jobs", {})


def test_a_refusal_has_a_sentence_for_each_field_with_its_limit(scripted: Any) -> None:
    fields = [
        {"field": "a", "code": "x", "message": "a must be small", "limit": {"min": 0, "max": 7}},
        {"field": "b", "code": "x", "message": "is unknown"},
    ]
    body = json.dumps({"code": "x", "message": "two are wrong", "fields": fields}).encode()

    with door_to(scripted((400, {}, body))) as door, pytest.raises(Refused) as told:
        door.post("jobs", {})

    assert told.value.lines == ["a must be small (min 0, max 7)", "b: is unknown"]


ALPHA = {"scope": "s", "lfn": "f", "size": 5, "adler32": "061b0207"}


def test_a_download_that_is_cut_off_begins_anew(scripted: Any, tmp_path: Path) -> None:
    script = scripted(
        (200, {"Content-Length": "5"}, b"al"), (200, {}, b"omega"), (200, {}, b"alpha")
    )
    moved: list[int] = []

    with door_to(script) as door:
        assert fetch(door, ALPHA, tmp_path, moved=moved.append)

    assert (tmp_path / "f").read_bytes() == b"alpha"
    assert (sum(moved), [path.name for path in tmp_path.iterdir()]) == (5, ["f"])


def test_a_download_that_stays_wrong_leaves_nothing(scripted: Any, tmp_path: Path) -> None:
    script = scripted(*[(200, {}, b"omega")] * 4)
    moved: list[int] = []

    with door_to(script) as door, pytest.raises(CommandError, match="it should be 5 bytes"):
        fetch(door, ALPHA, tmp_path, moved=moved.append)

    assert (sum(moved), [*tmp_path.iterdir()]) == (0, [])


def test_a_name_that_leads_out_of_the_folder_is_no_file(scripted: Any, tmp_path: Path) -> None:
    known = {"scope": "s", "lfn": "../../x", "size": 0, "adler32": "00000001"}

    with door_to(scripted()) as door, pytest.raises(CommandError, match="no name for a file"):
        fetch(door, known, tmp_path, moved=lambda n: None)


def test_nobody_there_is_exit_code_3(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(account.URL, "http://127.0.0.1:9")
    monkeypatch.setenv(account.TOKEN, "t")

    answer = call("task", "list")

    assert answer.code == 3
    assert "cannot reach http://127.0.0.1:9" in answer.err


def test_who_has_not_logged_in_is_told_how(call: Call) -> None:
    answer = call("task", "list")

    assert answer.code == 2
    assert "pandasite login" in answer.err
    assert call("task", "list", "--nonsense").code == 2


def test_a_kept_token_goes_to_its_own_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    account.keep(Account(url="https://one.example.org", token="t1"))
    account.keep(Account(url="https://two.example.org", token="t2"))

    assert account.current().token == "t2"
    monkeypatch.setenv(account.URL, "https://one.example.org/")
    assert account.current().token == "t1"
    monkeypatch.setenv(account.URL, "https://three.example.org")
    with pytest.raises(Wrong, match="no token for https://three"):
        account.current()


def test_a_login_that_others_can_read_is_not_used_and_one_that_is_forgotten_is_gone() -> None:
    place = account.keep(Account(url="https://one.example.org", token="t1"))

    place.chmod(0o644)
    with pytest.raises(Wrong, match="others may read"):
        account.current()
    place.chmod(0o600)
    assert account.forget() == "https://one.example.org"
    assert not place.exists()


def test_a_login_that_cannot_be_read_is_made_anew_as_it_says() -> None:
    place = account.keep(Account(url="https://one.example.org", token="t1"))
    place.write_text("{")

    with pytest.raises(Wrong, match="remove it, and log in anew"):
        account.keep(Account(url="https://one.example.org", token="t2"))
    place.unlink()
    account.keep(Account(url="https://one.example.org", token="t2"))

    assert account.current().token == "t2"


@pytest.mark.parametrize("text", ["panda", "ftp://x", "http://u:p@x", "http://x?y", "http://[x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Wrong):
        account.address(text)


def test_help_knows_nothing_of_the_server() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pandasite.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([m for m in {FORBIDDEN!r} if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_script_of_a_clone_talks_to_a_server_from_any_folder(
    scripted: Any, tmp_path: Path
) -> None:
    # given
    script = scripted(good(tasks=[], before=None))
    (tmp_path / "typer.py").write_text("raise SystemExit('not this one')")
    # when
    done = subprocess.run(
        [ROOT / "deploy" / "pandasite", "task", "list", "--json"],
        cwd=tmp_path,
        env={**os.environ, account.URL: script.url, account.TOKEN: "t"},
        capture_output=True,
        text=True,
    )
    # then
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"tasks": []}
    assert script.heard[0][1]["Authorization"] == "Token t"
