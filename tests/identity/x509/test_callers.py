"""Who calls REST and PanDA's addresses by a certificate: from the socket, else from nowhere."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from django.test import Client

from jobs import identity
from pandasite.identity.models import Identity
from pandasite.identity.x509.chain import whose
from pandasite.identity.x509.listener import make
from pandasite.identity.x509.proxies import Limits
from tests.api.calls import CLAIM, the_site
from tests.builders import create_job, create_pilot_account, create_site, create_user
from tests.identity.x509.grid_ca import Authority, Holder
from tests.identity.x509.wire import Folder, shaken_hands
from tests.panda.calls import FORM, GET_JOB

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
NOW = dt.datetime.now(dt.UTC)  # the clock of OpenSSL and of the database
CA = Authority(now=NOW)
HOST = CA.host(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
ALICE, PILOT = CA.user(), CA.user("factory")
ME = "/rest/v1/me"
CLAIMS = "/rest/v1/pilot/claim"
GET = "/server/panda/getJob"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.make(tmp_path, CA, HOST)


def belongs(holder: Holder, user: Any) -> Identity:
    """From now on this certificate is this user's."""
    shown = whose([*holder.ders, CA.der], now=NOW, limits=Limits())
    return Identity.objects.create(
        user=user, issuer=shown.issuer, subject=shown.subject, created_at=NOW
    )


class Called(Client):
    """A client whose calls come over a TLS connection of gunicorn's."""

    def __init__(self, served: Any) -> None:
        super().__init__(raise_request_exception=False, **{"gunicorn.socket": served})


@contextmanager
def calling(folder: Folder, holder: Holder | None) -> Iterator[Called]:
    with shaken_hands(make(folder.files), folder.client(holder)) as (served, _):
        yield Called(served)


def get_job(client: Client, **headers: str) -> Any:
    raw = urlencode(GET_JOB)
    answer = client.generic("POST", GET, raw, FORM, HTTP_ACCEPT="application/json", **headers)
    return answer.status_code, json.loads(answer.content)


def test_a_user_is_known_by_a_proxy_and_what_the_proxy_is_not_told_apart(folder: Folder) -> None:
    known = belongs(ALICE, create_user("alice"))
    for holder in (ALICE, CA.proxy(ALICE), CA.proxy(CA.proxy(ALICE))):
        with calling(folder, holder) as client:
            told = client.get(ME)
            assert (told.status_code, told.json()["username"]) == (200, "alice")
    known.refresh_from_db()
    assert known.last_seen_at is not None


def test_a_pilots_certificate_has_the_role_of_its_site_and_no_other(folder: Folder) -> None:
    belongs(PILOT, create_pilot_account(the_site()).user)
    job = create_job("activated", site=the_site())
    create_site("MWT2")
    with calling(folder, CA.proxy(PILOT)) as client:
        status, told = get_job(client)
        assert (status, told["PandaID"]) == (200, job.pk)
        claim = client.post(
            CLAIMS, CLAIM | {"site": "MWT2"}, content_type="application/json",
            HTTP_IDEMPOTENCY_KEY="k" * 20,
        )  # fmt: skip
        assert (claim.status_code, claim.json()["code"]) == (403, "site_not_allowed")
        assert client.get("/rest/v1/jobs").status_code == 403
    job.refresh_from_db()
    assert job.state == "sent"


REFUSED = {
    "limited": (CA.limited(ALICE), 401, "limited proxy"),
    "four deep": (CA.proxy(CA.proxy(CA.proxy(CA.proxy(ALICE)))), 401, "4 proxies in a row"),
    "made for two days": (CA.proxy(ALICE, life=dt.timedelta(hours=48)), 401, "24 h may be"),
    "nobody's": (CA.user("Bob"), 403, "nobody here has the certificate /DC=ch/.*/CN=Bob of"),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_a_certificate_that_does_not_do_is_told_why_at_every_door(folder: Folder, why: str) -> None:
    belongs(ALICE, create_user("alice"))
    holder, status, words = REFUSED[why]
    with calling(folder, holder) as client:
        rest, (legacy, told) = client.get(ME), get_job(client)
        v1 = client.post("/api/v1/pilot/acquire_jobs", {}, content_type="application/json")
    assert [rest.status_code, legacy, v1.status_code] == [status] * 3
    for said in (rest.json()["message"], told["message"], v1.json()["message"]):
        assert re.search(words, said)


def test_a_banned_owner_and_a_certificate_that_was_taken_away_open_nothing(folder: Folder) -> None:
    known = belongs(ALICE, create_user("alice"))
    with calling(folder, ALICE) as client:
        assert client.get(ME).status_code == 200
        known.user.is_active = False
        known.user.save()
        told = client.get(ME)
        assert (told.status_code, told.json()["code"]) == (403, "banned")
        known.delete()
        assert client.get(ME).json()["code"] == "certificate_unknown"


def test_the_same_name_of_another_authority_is_a_stranger(folder: Folder) -> None:
    belongs(ALICE, create_user("alice"))
    other = Authority(name="Other CA", now=NOW)
    folder.trust("other.0", other.pem)
    folder.trust("other.r0", other.crl())
    with calling(folder, other.user()) as client:
        assert client.get(ME).json()["code"] == "certificate_unknown"


def test_a_token_wins_over_the_certificate_and_without_either_nobody_is_let_in(
    folder: Folder,
) -> None:
    belongs(ALICE, create_user("alice"))
    token = identity.new_token(create_user("carol"), days=1)
    with calling(folder, ALICE) as client:
        assert client.get(ME, HTTP_AUTHORIZATION=f"Token {token}").json()["username"] == "carol"
        assert client.get(ME, HTTP_AUTHORIZATION="Token wrong").status_code == 401
        assert get_job(client, HTTP_AUTHORIZATION="Bearer wrong")[0] == 401
    with calling(folder, None) as client:
        assert client.get(ME).status_code == 401
        assert get_job(client)[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_ORIGIN": "https://evil.example.org"},
        {"HTTP_ORIGIN": "null"},
    ],
    ids=lambda headers: " ".join(next(iter(headers.items()))),
)
def test_a_browser_cannot_be_made_to_call_with_its_owners_certificate(
    folder: Folder, headers: dict[str, str]
) -> None:
    belongs(PILOT, create_pilot_account(the_site()).user)
    job = create_job("activated", site=the_site())
    with calling(folder, PILOT) as client:
        status, told = get_job(client, **headers)
    assert (status, told["code"]) == (403, "no_browsers")
    job.refresh_from_db()
    assert job.state == "activated"


def test_no_part_of_a_proxy_comes_into_the_log(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy = CA.limited(ALICE)
    text = proxy.pem.decode()
    with calling(folder, proxy) as client:
        client.get(ME)
        client.generic("POST", GET, urlencode(GET_JOB | {"node": text}), FORM)
        client.post(GET, text.encode(), content_type="application/json")
        client.get(ME, HTTP_AUTHORIZATION=f"Bearer {text.replace(chr(10), ' ')}")
        client.get(f"{ME}?proxy={text[100:400]}")
    said = "\n".join(record.getMessage() + str(vars(record)) for record in caplog.records)
    secret = [line for line in text.split("PRIVATE KEY")[1].splitlines() if len(line) > 20]
    assert secret and not [line for line in secret if line in said]
