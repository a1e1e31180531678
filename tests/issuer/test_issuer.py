"""A real issuer: PanDA's client logs in by the device flow, people by their browser.

Once by panda-client's own class, else request by request as it does; the provider is certified,
and not ours.
"""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client
from django.test.testcases import LiveServerThread
from django.utils import timezone

from jobs.api import auth
from jobs.groups import OPERATORS, PRODUCTION_MANAGERS
from pandasite.base.models import AuditLine
from pandasite.identity import keys as keybook
from pandasite.identity.issuers import Device, Issuer, Login
from pandasite.identity.keys import BOOK
from tests.admin.pages import text
from tests.issuer.provider import FOLDER, SECONDS, Provider, click_through, provider

pytestmark = [pytest.mark.issuer, pytest.mark.django_db]

User = get_user_model()
SCOPE = "openid profile email offline_access "  # the blank at the end is the client's
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(scope="module")
def op(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The provider, with its first key; who logs in is on shift."""
    with provider(tmp_path_factory.mktemp("issuer")) as made:
        made.start("k1", groups=["/atlas/shift"])
        yield made


@pytest.fixture(autouse=True)
def believed(op: Provider, settings: Any, tmp_path: Path) -> Issuer:
    """The provider is pinned, with its device flow and its log-in."""
    secret = tmp_path / "secret"
    secret.write_text("web-secret\n")
    entry = Issuer(
        issuer=op.url,
        audiences=["panda-client"],
        keys=f"{op.url}/jwks",
        create_users=True,
        without_scope=["panda.write"],
        roles={"/atlas/shift": OPERATORS, "/atlas/production": PRODUCTION_MANAGERS},
        device=Device(
            vos=["atlas"],
            client_id="panda-client",
            client_secret="",
            audience="https://panda.example",
            oidc_config_url=f"{op.url}/.well-known/openid-configuration",
        ),
        login=Login(
            title="the provider",
            client_id="panda-web",
            client_secret_file=str(secret),
            authorization_endpoint=f"{op.url}/auth",
            token_endpoint=f"{op.url}/token",
        ),
    )
    settings.PANDASITE_ISSUERS = {op.url: entry}
    BOOK.forget()
    return entry


class PandaClient:
    """The log-in of panda-client, request by request."""

    def __init__(self) -> None:
        self.config = Client().get("/auth/atlas_auth_config.json").json()
        self.endpoints = self._json(requests.get(self.config["oidc_config_url"], timeout=SECONDS))

    @staticmethod
    def _json(answer: requests.Response) -> dict[str, Any]:
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def begin(self) -> dict[str, Any]:
        url = self.endpoints["device_authorization_endpoint"]
        said = {
            "client_id": self.config["client_id"],
            "scope": SCOPE,
            "audience": self.config["audience"],
        }
        return self._json(requests.post(url, data=said, timeout=SECONDS))

    def ask(self, **said: str) -> requests.Response:
        who = {name: self.config[name] for name in ("client_id", "client_secret")}
        return requests.post(self.endpoints["token_endpoint"], data=who | said, timeout=SECONDS)

    def log_in(self, name: str) -> dict[str, Any]:
        """The tokens, once somebody has said yes in a browser."""
        begun = self.begin()
        asked = {"grant_type": DEVICE_CODE, "device_code": begun["device_code"]}
        waiting = self.ask(**asked)
        assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
        click_through(begun["verification_uri_complete"], name=name)
        return self._json(self.ask(**asked))

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        said = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return self._json(self.ask(**said))


def get(path: str, token: str) -> Any:
    return Client().get(path, headers={"Authorization": f"Bearer {token}", "Origin": "atlas"})


def test_a_token_of_the_device_flow_works_at_all_doors(op: Provider) -> None:
    client = PandaClient()
    tokens = client.log_in("alice")
    said = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (said["name"], said["preferred_username"]) == ("alice example", "alice")
    me = get("/rest/v1/me", tokens["id_token"]).json()
    assert me["username"] == "alice"
    assert get("/rest/v1/jobs", tokens["id_token"]).status_code == 200
    there = get("/api/v1/system/get_user_attributes", tokens["id_token"]).json()
    assert there["success"] is True
    again = client.refresh(tokens)
    assert get("/rest/v1/me", again["id_token"]).json()["username"] == "alice"
    assert User.objects.get().identities.get().issuer == op.url


@pytest.fixture
def auth_url() -> Iterator[str]:
    """Where PanDA's client reads how to log in, for another process: it asks no database."""
    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    yield f"http://127.0.0.1:{server.port}/auth/atlas_auth_config.json"
    server.terminate()


# What prun does first of all, with its own class, unmodified.
LOG_IN = """
import logging, sys
from pandatools.openidc_utils import OpenIdConnect_Utils
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
client = OpenIdConnect_Utils(sys.argv[1], log_stream=logging)
went_well, said = client.run_device_authorization_flow()
print("TOKEN" if went_well else "FAILED", said, flush=True)
"""


def test_pandas_own_client_logs_in(auth_url: str, tmp_path: Path) -> None:
    command = [str(FOLDER / "client" / "bin" / "python"), "-W", "ignore", "-c", LOG_IN, auth_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    there = {"PANDA_CONFIG_ROOT": str(tmp_path)}
    with subprocess.Popen(command, env=there, **pipes) as client:
        assert client.stdin and client.stdout
        asks = next(line for line in client.stdout if "Please go to " in line)
        click_through(asks.split("Please go to ")[1].split()[0], name="alice")
        said, _ = client.communicate("y\n", timeout=SECONDS)
    word, token = said.strip().splitlines()[-1].split()
    assert word == "TOKEN"
    assert get("/rest/v1/me", token).json()["username"] == "alice"
    # what it keeps is taken again without asking anybody
    kept = subprocess.run(command, env=there, capture_output=True, text=True, check=True)
    assert kept.stdout.split() == ["TOKEN", token]


def test_an_opaque_access_token_of_the_issuer_is_none_of_ours() -> None:
    tokens = PandaClient().log_in("alice")
    assert get("/rest/v1/me", tokens["access_token"]).status_code == 401


def test_an_expired_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    token = PandaClient().log_in("alice")["id_token"]
    assert get("/rest/v1/me", token).status_code == 200
    expires_at = jwt.decode(token, options={"verify_signature": False})["exp"]
    later = dt.datetime.fromtimestamp(expires_at + 61, tz=dt.UTC)
    monkeypatch.setattr(auth.timezone, "now", lambda: later)
    answer = get("/rest/v1/me", token)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert "it has expired at" in answer.json()["message"]


def test_keys_rotate(op: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    old = PandaClient().log_in("alice")["id_token"]
    assert get("/rest/v1/me", old).status_code == 200
    op.start("k2", groups=["/atlas/shift"])
    new = PandaClient().log_in("alice")["id_token"]
    # within the minute the new key is not asked for; after it, it is, and the old one is gone
    assert get("/rest/v1/me", new).status_code == 401
    later = timezone.now() + keybook.ASK_AGAIN
    monkeypatch.setattr(auth.timezone, "now", lambda: later)
    assert get("/rest/v1/me", new).json()["username"] == "alice"
    assert get("/rest/v1/me", old).status_code == 401


def log_in(browser: Client, name: str, *, next_page: str = "/tokens/") -> Any:
    """By the provider, as a browser is sent there and back."""
    there = browser.get("/login/issuer/", {"next": next_page})["Location"]
    back = urlsplit(click_through(there, name=name))
    return browser.get(f"{back.path}?{back.query}")


def test_people_log_in_to_the_pages_with_their_roles() -> None:
    browser = Client()
    answer = log_in(browser, "olga")
    assert (answer.status_code, answer["Location"]) == (302, "/tokens/")
    assert browser.get("/tokens/").status_code == 200
    olga = User.objects.get()
    assert olga.username == "olga" and olga.is_staff and not olga.has_usable_password()
    assert [*olga.groups.values_list("name", flat=True)] == [OPERATORS]
    actions = AuditLine.objects.order_by("pk").values_list("action", flat=True)
    assert [*actions] == ["user_made", "roles_kept"]
    browser.post("/logout/")
    assert browser.get("/tokens/").status_code == 302


def test_a_role_that_the_issuer_takes_back_is_gone_at_the_next_log_in(op: Provider) -> None:
    browser = Client()
    log_in(browser, "olga")
    op.start("k3")
    BOOK.forget()
    log_in(Client(), "olga")
    olga = User.objects.get()
    assert not olga.groups.exists() and not olga.is_staff
    op.start("k4", groups=["/atlas/shift"])


def test_the_pages_and_the_programs_of_a_person_are_one_user() -> None:
    log_in(Client(), "olga")
    token = PandaClient().log_in("olga")["id_token"]
    assert get("/rest/v1/me", token).json()["username"] == "olga"
    assert User.objects.count() == 1


def test_a_banned_person_is_not_let_in() -> None:
    before = Client()
    log_in(before, "olga")
    assert before.get("/tokens/").status_code == 200
    User.objects.update(is_active=False)
    assert before.get("/tokens/").status_code == 302
    browser = Client()
    answer = log_in(browser, "olga")
    assert answer.status_code == 403 and "banned" in text(answer)
    assert browser.get("/tokens/").status_code == 302


def test_a_code_works_in_the_session_that_asked_for_it_and_once() -> None:
    browser = Client()
    there = browser.get("/login/issuer/")["Location"]
    state = parse_qs(urlsplit(there).query)["state"][0]
    back = urlsplit(click_through(there, name="olga"))
    assert parse_qs(back.query)["state"] == [state]
    stolen = Client().get(f"{back.path}?{back.query}")
    assert stolen["Location"] == "/login/" and not User.objects.exists()
    assert browser.get(f"{back.path}?{back.query}").status_code == 302
    browser.post("/logout/")
    assert browser.get(f"{back.path}?{back.query}").status_code in (302, 403)
    assert browser.get("/tokens/").status_code == 302
