"""The log-in page: by name and password; what is there only where an issuer is."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from pandasite.identity.issuers import Device, Login
from tests.admin.pages import text
from tests.identity.issuer import NAME, issuer

pytestmark = pytest.mark.django_db

LOGIN = Login(
    title="Example IAM",
    client_id="panda-web",
    authorization_endpoint="https://iam.example/authorize",
    token_endpoint="https://iam.example/token",
)
DEVICE = Device(
    vos=["atlas"],
    client_id="panda-client",
    client_secret="",
    audience="https://panda.example",
    oidc_config_url="https://iam.example/.well-known/openid-configuration",
)


@pytest.fixture
def iam(settings: Any) -> None:
    entry = issuer("https://iam.example/jwk", login=LOGIN, device=DEVICE)
    settings.PANDASITE_ISSUERS = {NAME: entry}


def test_without_an_issuer_there_is_no_other_way_in() -> None:
    assert "log in with" not in text(Client().get("/login/"))
    assert Client().get("/login/issuer/").status_code == 404
    assert Client().get("/login/issuer/callback/?code=1&state=2").status_code == 404
    assert Client().get("/auth/atlas_auth_config.json").status_code == 404


def test_the_page_names_the_issuer_and_keeps_where_one_was_going(iam: None) -> None:
    page = Client().get("/login/?next=/jobs/").content.decode()
    assert "log in with Example IAM" in page and "/login/issuer/?next=%2Fjobs%2F" in page


def test_the_way_to_the_issuer_has_state_nonce_and_challenge(iam: None) -> None:
    answer = Client().get("/login/issuer/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("https://iam.example/authorize?")
    for name in ("state=", "nonce=", "code_challenge=", "code_challenge_method=S256"):
        assert name in answer["Location"]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/"])
def test_nobody_is_sent_elsewhere_after_it(elsewhere: str, iam: None) -> None:
    browser = Client()
    browser.get("/login/issuer/", {"next": elsewhere})
    assert browser.session["oidc_login_next"] is None


def test_a_code_that_nobody_asked_for_lets_nobody_in(iam: None) -> None:
    answer = Client().get("/login/issuer/callback/?code=1&state=2")
    assert (answer.status_code, answer["Location"]) == (302, "/login/")
    browser = Client()
    browser.get("/login/issuer/")
    answer = browser.get("/login/issuer/callback/?code=1&state=made-up")
    assert answer.status_code == 403 and "The log-in did not work" in text(answer)


def test_a_code_in_the_address_of_the_form_is_not_looked_at(iam: None) -> None:
    form = {"username": "alice", "password": "x"}
    answer = Client().post("/login/?code=1&state=2", form)
    assert answer.status_code == 200  # wrong, and no call of the issuer


def test_pandas_client_learns_how_to_log_in(iam: None) -> None:
    answer = Client().get("/auth/atlas_auth_config.json")
    assert answer.json() == {
        "client_id": "panda-client",
        "client_secret": "",
        "audience": "https://panda.example",
        "oidc_config_url": "https://iam.example/.well-known/openid-configuration",
    }
    refusal = Client().get("/auth/cms_auth_config.json")
    assert (refusal.status_code, refusal.json()["code"]) == (404, "not_found")


def test_a_password_lets_in_and_log_out_lets_out() -> None:
    get_user_model().objects.create_user("alice", password="battery staple")
    browser = Client()
    answer = browser.post(
        "/login/", {"username": "alice", "password": "battery staple", "next": "/tokens/"}
    )
    assert answer["Location"] == "/tokens/"
    assert browser.get("/tokens/").status_code == 200
    assert browser.get("/logout/").status_code == 405
    browser.post("/logout/")
    assert browser.get("/tokens/").status_code == 302
