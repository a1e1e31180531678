"""Tokens: hashed, expiring, bound to a person or a site; and what each may do."""

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from knox.models import AuthToken

from jobs import identity
from jobs.models import PilotAccount
from pandasite.base.errors import BadInput
from tests.api.calls import CLAIM, POSTS, client, person, pilot, problem, send, the_site
from tests.builders import create_site, create_user

pytestmark = pytest.mark.django_db
BAD_TOKENS = [
    "Token " + "0" * 64,
    "Token",
    "Token ",
    "Token a b",
    "Token \xff",
    "Token \xff\xfe",
    "Token " + "x" * 5000,
]
CLAIMS = POSTS[0]
OF_PILOTS = [address for address in POSTS if address.by == "pilot"]
OF_PEOPLE = [address for address in POSTS if address.by == "person"]


def token(**spec):
    return identity.new_pilot_token(the_site(), **spec)


def with_header(value):
    made = client()
    made.credentials(HTTP_AUTHORIZATION=value)
    return send(made, CLAIMS, CLAIM)


def test_a_fresh_token_opens_the_door():
    assert with_header(f"Token {token()}").status_code == 200


def test_the_token_is_stored_as_a_hash_only():
    secret = token()

    stored = str(list(AuthToken.objects.values()))
    assert secret not in stored


def test_an_expired_token_is_a_bad_one():
    secret = token()
    AuthToken.objects.update(expiry=dt.datetime(2009, 1, 1, tzinfo=dt.UTC))

    problem(with_header(f"Token {secret}"), 401, "invalid_token")


@pytest.mark.parametrize("value", BAD_TOKENS)
def test_a_bad_token_is_refused(value):
    token()

    answer = with_header(value)

    problem(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("value", ["Basic YTpi", "", "token"])
def test_another_scheme_is_no_token(value):
    problem(with_header(value), 401, "not_authenticated" if value != "token" else "invalid_token")


def test_a_token_is_as_good_by_the_name_of_bearer():
    assert with_header(f"Bearer {token()}").status_code == 200

    answer = with_header("Bearer x")

    problem(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_with_one_letter_changed_is_refused():
    secret = token()
    last = "0" if secret[-1] != "0" else "1"

    problem(with_header(f"Token {secret[:-1]}{last}"), 401, "invalid_token")


def test_a_banned_account_is_refused_on_its_next_call():
    who = pilot()
    assert send(who, CLAIMS, CLAIM).status_code == 200
    get_user_model().objects.update(is_active=False)

    problem(send(who, CLAIMS, CLAIM), 403, "banned")


@pytest.mark.parametrize("address", OF_PILOTS, ids=str)
def test_people_do_not_claim_or_report(address):
    the_site()

    problem(send(person(production=True), address, address.body), 403, "permission_denied")


@pytest.mark.parametrize("address", OF_PEOPLE, ids=str)
def test_pilots_do_not_submit_or_kill(address):
    problem(send(pilot(), address, address.body), 403, "permission_denied")


def test_the_administrator_is_no_pilot():
    boss = get_user_model().objects.create_superuser("boss", password="x")
    the_site()

    who = client(identity.new_token(boss, days=1))

    problem(send(who, CLAIMS, CLAIM), 403, "permission_denied")


def test_a_session_cookie_is_no_token():
    get_user_model().objects.create_superuser("boss", password="x")
    browser = client()
    browser.login(username="boss", password="x")

    problem(browser.get("/rest/v1/jobs"), 401, "not_authenticated")


def test_an_identity_in_a_header_is_not_believed():
    made = client()
    answer = made.post(
        CLAIMS.path, CLAIM, HTTP_SSL_CLIENT_S_DN="/CN=pilot", HTTP_X_SSL_CLIENT_S_DN="/CN=pilot",
        HTTP_REMOTE_USER="pilot@AGLT2",
    )  # fmt: skip

    problem(answer, 401, "not_authenticated")


# -- how tokens are made -----------------------------------------------------------------------


def test_all_pilots_of_a_site_share_its_account():
    site = the_site()

    identity.new_pilot_token(site)
    identity.new_pilot_token(site)

    account = PilotAccount.objects.get()
    assert account.site == site
    assert not account.user.has_usable_password()
    assert not account.user.is_staff
    assert AuthToken.objects.count() == 2


def test_sites_have_accounts_of_their_own():
    assert identity.pilot_account(the_site()) != identity.pilot_account(create_site("MWT2_UC"))


@pytest.mark.parametrize("days", [0, -1, 367, 1e9, float("nan")])
def test_a_token_lives_between_a_minute_and_a_year(days):
    with pytest.raises(BadInput):
        identity.new_token(create_user(), days=days)


# -- a token that was good a moment ago --------------------------------------------------------


@pytest.fixture
def known():
    """A pilot whose token the server has met."""
    who = pilot()
    assert send(who, CLAIMS, CLAIM).status_code == 200
    return who


@pytest.mark.parametrize("address", OF_PILOTS, ids=str)
def test_a_token_that_was_taken_back_opens_nothing_more(known, address):
    AuthToken.objects.all().delete()

    answer = send(known, address, address.body)

    problem(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("address", OF_PILOTS, ids=str)
def test_a_token_that_has_expired_meanwhile_opens_nothing_more(known, address):
    AuthToken.objects.update(expiry=dt.datetime(2009, 1, 1, tzinfo=dt.UTC))

    problem(send(known, address, address.body), 401, "invalid_token")


@pytest.mark.parametrize("address", OF_PILOTS, ids=str)
def test_an_account_that_was_banned_meanwhile_may_do_nothing_more(known, address):
    get_user_model().objects.update(is_active=False)

    problem(send(known, address, address.body), 403, "banned")


def test_an_account_that_was_moved_to_another_site_claims_there(known):
    PilotAccount.objects.update(site=create_site("MWT2_UC"))

    problem(send(known, CLAIMS, CLAIM), 403, "site_not_allowed")
    assert send(known, CLAIMS, CLAIM | {"site": "MWT2_UC"}).status_code == 200


def test_an_account_that_is_none_any_more_belongs_to_a_person(known):
    user = PilotAccount.objects.get().user
    PilotAccount.objects.filter(user=user)._raw_delete("default")

    problem(send(known, CLAIMS, CLAIM), 403, "permission_denied")


def test_a_token_that_was_met_before_costs_no_query_of_its_own(known, django_assert_num_queries):
    with django_assert_num_queries(1):
        send(known, CLAIMS, CLAIM)
