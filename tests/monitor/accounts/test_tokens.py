"""My tokens: made for what they are needed, shown once, ended by who made them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from knox.models import AuthToken

from jobs import identity
from jobs.groups import READERS, SITE_ADMINS
from jobs.models import PilotAccount, Sandbox
from pandasite.base.models import AuditLine
from pandasite.identity.models import TokenNote
from tests import builders as make
from tests.admin.pages import text
from tests.identity.people import browser_of, with_role

pytestmark = pytest.mark.django_db

FORM = {"name": "my laptop", "scope": "all", "days": "30"}


@pytest.fixture
def alice() -> Client:
    return browser_of(make.create_user("alice"))


def made(browser: Client, **changes: Any) -> Any:
    return browser.post("/tokens/new/", FORM | changes)


def me(token: str) -> Any:
    return Client().get("/rest/v1/me", headers={"Authorization": f"Token {token}"})


def test_the_client_of_panda_gets_the_token_in_its_own_form(alice: Client) -> None:
    page = made(alice)

    [line] = [one for one in page.text.splitlines() if "PANDA_AUTH_ID_TOKEN=" in one]
    told = line.partition("=")[2].partition("<")[0]
    assert told.count(".") == 2 and told.endswith(f".{page.context['token']}")
    assert me(told).json()["username"] == "alice"
    assert "PANDA_URL=http://testserver/server/panda " in page.text


def test_sandboxes_are_listed_to_their_owner(alice: Client) -> None:
    # given
    for name in ("alice", "bob"):
        Sandbox.objects.create(
            name=f"jobO.{name}.tar.gz", owner=make.create_user(name), size=2_500_000, crc32=1,
            sha256="0" * 64, created_at=make.NOW, last_used_at=make.NOW,
        )  # fmt: skip
    # when
    page, told = alice.get("/sandboxes/"), alice.get("/sandboxes/?format=json").json()
    # then
    [row] = told["rows"]
    assert (row["name"], row["size"]) == ("jobO.alice.tar.gz", 2_500_000)
    assert row["until"].startswith("2009-10-17")
    assert "2.5 MB" in page.text and "5.0 GB" in page.text
    assert Client().get("/sandboxes/").status_code == 302


def test_a_token_is_shown_once_and_works(alice: Client) -> None:
    page = made(alice)
    token = page.context["token"]
    assert token in page.content.decode() and "no-store" in page["Cache-Control"]
    assert "Content-Encoding" not in page.headers
    assert me(token).json()["username"] == "alice"
    listed = alice.get("/tokens/").content.decode()
    assert token not in listed and token[:15] in listed and "my laptop" in listed


def test_making_one_is_in_the_audit_log_without_the_token(alice: Client) -> None:
    token = made(alice).context["token"]
    line = AuditLine.objects.get()
    assert (line.actor_name, line.action, line.reason) == ("alice", "token_made", "my laptop")
    assert token not in str(line.__dict__)


def test_a_token_for_reading_only_reads(alice: Client) -> None:
    token = made(alice, scope="read").context["token"]
    body = {"panda_ids": [1], "reason": "x"}
    headers = {"Authorization": f"Token {token}"}
    answer = Client().post(
        "/rest/v1/jobs/kill", body, content_type="application/json", headers=headers
    )
    assert me(token).status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_one_ends_a_token_of_ones_own_and_of_nobody_else(alice: Client) -> None:
    token = made(alice).context["token"]
    key = AuthToken.objects.get().token_key
    stranger = browser_of(make.create_user("mallory"))
    assert stranger.post("/tokens/revoke/", {"key": key}).status_code == 404
    assert me(token).status_code == 200
    assert alice.post("/tokens/revoke/", {"key": key}).status_code == 200
    assert me(token).status_code == 401
    assert AuditLine.objects.order_by("-pk")[0].action == "token_revoked"


def test_nobody_sees_the_tokens_of_others(alice: Client) -> None:
    identity.new_token(make.create_user("bob"), days=1)
    assert alice.get("/tokens/?format=json").json()["rows"] == []
    assert "You have no tokens" in text(alice.get("/tokens/"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\x1bb"}, "name"),
        ({"days": "0"}, "days"),
        ({"days": "367"}, "days"),
        ({"scope": "pilot"}, "scope"),
        ({"scope": ""}, "scope"),
    ],
    ids=["no name", "long name", "control", "0 days", "367 days", "pilot", "no scope"],
)
def test_a_bad_wish_is_an_error_beside_the_field(
    change: dict[str, str], field: str, alice: Client
) -> None:
    page = made(alice, **change)
    assert page.status_code == 400
    assert page.context["form"].errors.keys() == {field}
    assert not AuthToken.objects.exists()


def test_an_unknown_field_is_refused(alice: Client) -> None:
    assert made(alice, user="root").status_code == 400
    assert not AuthToken.objects.exists()


def test_a_site_admin_makes_tokens_of_the_own_sites_pilots_only() -> None:
    own, foreign = make.create_site("OWN"), make.create_site("FOREIGN")
    sam = browser_of(with_role(SITE_ADMINS, own=(own,)))
    assert made(sam, scope="pilot", site=foreign.pk).status_code == 400
    assert made(sam, scope="pilot").status_code == 400
    assert made(sam, scope="all", site=own.pk).status_code == 400
    token = made(sam, scope="pilot", site=own.pk).context["token"]
    assert me(token).status_code == 403  # a pilot's: it claims and reports
    assert PilotAccount.objects.get().site == own
    assert "the pilots of a site" in text(sam.get("/tokens/"))
    sam.post("/tokens/revoke/", {"key": AuthToken.objects.get().token_key})
    assert me(token).status_code == 401


def test_a_reader_makes_tokens_for_reading_only() -> None:
    rita = browser_of(with_role(READERS, "rita"))
    assert made(rita, scope="all").status_code == 400
    assert made(rita, scope="read").status_code == 200
    assert TokenNote.objects.get().scope == "read"


def test_strangers_and_pilots_have_no_such_page() -> None:
    assert Client().get("/tokens/").status_code == 302
    assert made(Client()).status_code == 302
    pilot = browser_of(identity.pilot_account(make.create_site("AGLT2")).user)
    assert pilot.get("/tokens/").status_code == 403
    assert not AuthToken.objects.exists()


def test_a_token_is_made_by_a_form_of_ours_only(alice: Client) -> None:
    user = make.create_user("alice")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert made(strict).status_code == 403
    assert not AuthToken.objects.exists()
