"""Who guesses is stopped after ten in a minute; others are not (attack set A9)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from jobs import identity
from pandasite.base import rate
from tests import builders as make
from tests.api.calls import CLAIM, REPORT
from tests.identity.issuer import KeyServer, claims, signed
from tests.identity.people import browser_of

pytestmark = pytest.mark.django_db

DOORS = ["/login/", "/admin/login/"]
WRONG = "wrong horse"
RIGHT = "battery staple"


@pytest.fixture(autouse=True)
def limits(settings: Any, broker: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of a server; nobody has called yet."""
    settings.PANDASITE = settings.PANDASITE | {
        "BAD_LOGINS": 10, "BAD_TOKENS": 10, "NODE_CALLS": 60,
    }  # fmt: skip
    rate._here.clear()
    monkeypatch.setattr(rate, "_minute_now", lambda: 1)  # the same one all through a test


@pytest.fixture(autouse=True)
def quick_hashes(settings: Any) -> None:
    """A password that takes long to check would make the test slow, not safer."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def somebody(name: str) -> None:
    get_user_model().objects.create_user(name, password=RIGHT, is_staff=True)


def log_in(door: str, name: str, password: str, *, address: str = "192.0.2.1") -> Any:
    form = {"username": name, "password": password, "next": "/"}
    return Client(REMOTE_ADDR=address).post(door, form)


@pytest.mark.parametrize("door", DOORS)
def test_the_eleventh_wrong_password_in_a_minute_is_a_429(door: str) -> None:
    somebody("alice")
    answers = [log_in(door, "alice", WRONG) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


def test_the_right_password_does_not_help_until_the_minute_is_over() -> None:
    somebody("alice")
    for _ in range(10):
        log_in("/login/", "alice", WRONG)
    assert log_in("/login/", "alice", RIGHT).status_code == 429
    assert log_in("/admin/login/", "ALICE", RIGHT).status_code == 429


def test_other_accounts_and_other_addresses_are_let_in() -> None:
    for name in ("alice", "bob"):
        somebody(name)
    for _ in range(11):
        log_in("/login/", "alice", WRONG)
    assert log_in("/login/", "bob", RIGHT).status_code == 302
    assert log_in("/login/", "alice", RIGHT, address="192.0.2.2").status_code == 302


def test_good_log_ins_are_not_counted() -> None:
    somebody("alice")
    assert {log_in("/login/", "alice", RIGHT).status_code for _ in range(12)} == {302}


def test_an_account_that_there_is_not_is_counted_as_any_other() -> None:
    answers = [log_in("/login/", "nobody", WRONG) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


def test_a_thousand_wrong_tokens_are_mostly_429_and_a_good_one_is_let_in() -> None:
    good = identity.new_token(make.create_user(), days=1)
    answers = [rest("x" * 64) for _ in range(100)]
    assert [a.status_code for a in answers] == [401] * 10 + [429] * 90
    assert "Retry-After" in answers[-1].headers
    assert rest(good).status_code == 200


def test_wrong_tokens_of_another_issuer_are_counted_too(keys: KeyServer) -> None:
    expired = signed(claims(exp=1))
    assert [rest(expired).status_code for _ in range(11)] == [401] * 10 + [429]


def rest(token: str) -> Any:
    return Client().get("/rest/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_pilot_that_calls_all_the_time_is_stopped_and_no_other() -> None:
    token = identity.new_pilot_token(make.create_site("AGLT2"))
    statuses = [call(token, "pilot1", nr) for nr in range(80)]
    assert statuses[:60] == [200] * 60 and statuses[70:] == [429] * 10
    assert call(token, "pilot2", 1) == 200


def call(token: str, pilot: str, nr: int) -> int:
    answer = Client().post(
        "/rest/v1/pilot/claim",
        CLAIM | {"pilot_id": pilot},
        content_type="application/json",
        headers={"Authorization": f"Token {token}", "Idempotency-Key": f"{pilot}-{nr}"},
    )
    return answer.status_code


def test_a_pilot_that_reports_all_the_time_is_stopped() -> None:
    token = identity.new_pilot_token(make.create_site("AGLT2"))
    send = {"content_type": "application/json", "headers": {"Authorization": f"Token {token}"}}
    statuses = [
        Client().post("/rest/v1/pilot/report", REPORT, **send).status_code for _ in range(70)
    ]
    assert statuses[0] == 404 and statuses[-1] == 429


def test_who_is_logged_in_already_goes_on(django_user_model: Any) -> None:
    somebody("alice")
    browser = browser_of(django_user_model.objects.get())
    for _ in range(11):
        log_in("/login/", "alice", WRONG)
    assert browser.get("/").status_code == 200
