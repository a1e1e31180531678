"""Pilot tokens are issued on a page that shows them once; any token can be revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from knox.models import AuthToken

from jobs import identity
from jobs.models import PilotAccount
from pandasite.base.models import AuditLine
from tests import builders as make
from tests.admin.pages import act, address, text, the_audit

pytestmark = pytest.mark.django_db


def issue(client: Client, **fields: Any) -> Any:
    return client.post(address(PilotAccount, "issue"), fields)


def test_a_token_is_called_by_its_first_letters(root: Client) -> None:
    identity.new_token(make.create_user("alice"), days=1)
    row = AuthToken.objects.get()

    page = text(root.get(address(AuthToken, "change", row.pk)))

    assert f"{row.token_key}… of alice" in page and f"{row.digest} : " not in page


def test_a_pilot_token_is_shown_once_works_and_is_kept_as_a_hash(root: Client) -> None:
    site = make.create_site("AGLT2")
    page = issue(root, site=site.pk, days="4", reason="new factory")
    token = page.context["token"]
    shown = page.content.decode()
    assert token in shown and "no-store" in page["Cache-Control"]
    assert token not in text(root.get(address(PilotAccount, "changelist")))
    row = AuthToken.objects.get()
    assert row.digest != token and row.user == identity.pilot_account(site).user
    answer = Client().get("/rest/v1/jobs", headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 403  # known, and kept from what people may do


def test_a_site_with_the_old_name_of_another_gets_no_token_of_that_one(root: Client) -> None:
    renamed = make.create_site("AGLT2")
    identity.pilot_account(renamed)
    type(renamed).objects.filter(pk=renamed.pk).update(name="AGLT2_OLD")
    new = make.create_site("AGLT2", with_storage=False)
    page = issue(root, site=new.pk, days="4", reason="new factory")
    assert page.context["form"].errors.keys() == {"site"}
    assert "pilot@AGLT2 belongs to the pilots of AGLT2_OLD" in text(page)
    assert not AuthToken.objects.exists() and not AuditLine.objects.exists()


def test_a_renamed_site_keeps_the_account_of_its_pilots() -> None:
    site = make.create_site("AGLT2")
    account = identity.pilot_account(site)
    site.name = "AGLT2_NEW"
    site.save()
    assert identity.pilot_account(site) == account


def test_an_issued_token_has_an_audit_line_without_the_token(root: Client) -> None:
    page = issue(root, site=make.create_site("AGLT2").pk, days="4", reason="new factory")
    line = AuditLine.objects.get()
    assert the_audit() == ("root", "pilot_token_issued", "new factory")
    assert page.context["token"] not in str(line.__dict__)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"days": "0"}, "days"),
        ({"days": "367"}, "days"),
        ({"days": "nan"}, "days"),
        ({"site": "0"}, "site"),
    ],
)
def test_a_bad_request_for_a_token_is_an_error_at_the_field(
    fields: dict[str, str], field: str, root: Client
) -> None:
    form = {"site": make.create_site().pk, "days": "4", "reason": "new factory"} | fields
    page = issue(root, **form)
    assert page.context["form"].errors.keys() == {field}
    assert not AuthToken.objects.exists()


def test_operators_and_shifters_issue_no_tokens(operator: Client, shifter: Client) -> None:
    site = make.create_site()
    for client in (operator, shifter):
        answer = issue(client, site=site.pk, days="4", reason="for me")
        assert answer.status_code == 403
        assert "Issue a pilot token" not in text(client.get(address(PilotAccount, "changelist")))
    assert not AuthToken.objects.exists()


def test_a_revoked_token_is_refused_at_once(root: Client) -> None:
    token = identity.new_token(make.create_user("bob"), days=1)
    headers = {"Authorization": f"Token {token}"}
    before = Client().get("/rest/v1/jobs", headers=headers).status_code
    act(root, "revoke", AuthToken.objects.get(), reason="leaked")
    after = Client().get("/rest/v1/jobs", headers=headers).status_code
    assert (before, after) == (200, 401)
    assert the_audit() == ("root", "token_revoked", "leaked")


def test_tokens_are_neither_made_nor_changed_in_their_list(root: Client) -> None:
    identity.new_token(make.create_user("bob"), days=1)
    row = AuthToken.objects.get()
    form = {"expiry_0": "2099-01-01", "expiry_1": "00:00"}
    assert root.post(address(AuthToken, "change", row.pk), form).status_code == 403
    assert root.get(address(AuthToken, "add")).status_code == 403
    assert AuthToken.objects.get().expiry < row.created + dt.timedelta(days=2)
