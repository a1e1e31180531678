"""Tokens of other issuers at our doors: `/rest/v1/`, `/server/panda/` and `/api/v1/`."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from jobs.api import bearers
from jobs.groups import OPERATORS
from jobs.models import Job, PilotAccount
from pandasite.base.models import AuditLine
from pandasite.identity.models import Identity
from pandasite.identity.people import Banned
from tests import builders as make
from tests.api.calls import CLAIM
from tests.identity.issuer import NAME, KeyServer, claims, issuer, signed

pytestmark = pytest.mark.django_db

User = get_user_model()
PILOT = "panda.pilot:AGLT2"


def token(**changes: Any) -> str:
    """Good at this moment, but for the changes."""
    return signed(claims(timezone.now(), **changes))


def get(path: str, bearer: str) -> Any:
    return Client().get(path, headers={"Authorization": f"Bearer {bearer}"})


def post(path: str, body: Any, bearer: str, **headers: str) -> Any:
    return Client().post(
        path,
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {bearer}"} | headers,
    )


def claim(bearer: str, **changes: Any) -> Any:
    return post("/rest/v1/pilot/claim", CLAIM | changes, bearer, **{"Idempotency-Key": "k1"})


# -- people ----------------------------------------------------------------------------------------


def test_a_user_is_made_at_first_sight_and_known_again(keys: KeyServer) -> None:
    answers = [get("/rest/v1/me", token()) for _ in range(2)]
    user = User.objects.get()
    assert [answer.json()["username"] for answer in answers] == ["alice", "alice"]
    assert not user.has_usable_password() and not user.is_staff
    assert user.identities.values_list("issuer", "subject").get() == (NAME, "alice-1")
    assert AuditLine.objects.get().action == "user_made"
    assert len(keys.asked) == 1


def test_nobody_is_made_where_that_is_not_set(keys: KeyServer, settings: Any) -> None:
    settings.PANDASITE_ISSUERS = {NAME: issuer(keys.address, create_users=False)}
    answer = get("/rest/v1/me", token())
    assert (answer.status_code, answer.json()["code"]) == (403, "unknown_identity")
    bob = make.create_user("bob")
    Identity.objects.create(user=bob, issuer=NAME, subject="alice-1", created_at=timezone.now())
    assert get("/rest/v1/me", token()).json()["username"] == "bob"
    assert User.objects.count() == 1


def test_a_name_that_somebody_has_here_gives_nothing_of_his(keys: KeyServer) -> None:
    local = make.create_user("Alice", production=True)
    answer = get("/rest/v1/me", token()).json()
    assert answer["username"].startswith("alice-") and not answer["production"]
    assert not local.identities.exists()


@pytest.mark.parametrize(
    ("said", "name"),
    [("pilot@AGLT2", "pilot-AGLT2"), ("../x", "x"), ("", "Alice-Example"), (7, "Alice-Example")],
    ids=["pilot", "path", "empty", "number"],
)
def test_a_made_name_has_nothing_that_means_something_here(
    said: Any, name: str, keys: KeyServer
) -> None:
    assert get("/rest/v1/me", token(preferred_username=said)).json()["username"] == name


def test_the_same_subject_of_two_issuers_is_two_people(keys: KeyServer, settings: Any) -> None:
    other = "https://other.example/"
    settings.PANDASITE_ISSUERS = {
        NAME: issuer(keys.address), other: issuer(keys.address, issuer=other),
    }  # fmt: skip
    names = {get("/rest/v1/me", token(iss=iss)).json()["username"] for iss in (NAME, other)}
    assert len(names) == 2


def test_a_banned_user_is_refused_at_once(keys: KeyServer) -> None:
    get("/rest/v1/me", token())
    User.objects.update(is_active=False)
    answer = get("/rest/v1/me", token())
    assert (answer.status_code, answer.json()["code"]) == (403, "banned")


def test_a_token_for_reading_changes_nothing(keys: KeyServer) -> None:
    reading = token(scope="panda.read")
    assert get("/rest/v1/jobs", reading).status_code == 200
    job = make.create_job(owner=User.objects.get())
    answer = post("/rest/v1/jobs/kill", {"panda_ids": [job.pk], "reason": "x"}, reading)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    challenge = 'Bearer error="insufficient_scope", scope="panda.write"'
    assert answer["WWW-Authenticate"] == challenge
    assert Job.objects.get().state == "defined"


def test_a_role_in_the_token_counts_for_its_call_alone(keys: KeyServer, settings: Any) -> None:
    settings.PANDASITE_ISSUERS = {NAME: issuer(keys.address, roles={"/shift": OPERATORS})}
    jobs = [make.create_job(), make.create_job()]
    answers = [
        post("/rest/v1/jobs/kill", {"panda_ids": [job.pk], "reason": "x"}, token(groups=groups))
        for job, groups in zip(jobs, (["/shift"], []), strict=True)
    ]
    assert [answer.status_code for answer in answers] == [200, 404]


def test_a_working_group_may_come_with_the_token(keys: KeyServer, settings: Any) -> None:
    settings.PANDASITE_ISSUERS = {NAME: issuer(keys.address, roles={"/higgs": "phys-higgs"})}
    assert get("/rest/v1/me", token(groups=["/higgs"])).json()["groups"] == ["phys-higgs"]
    assert get("/rest/v1/me", token()).json()["groups"] == []


def test_a_bad_token_is_told_so_as_the_standard_has_it(keys: KeyServer) -> None:
    answer = get("/rest/v1/me", token(exp=int(timezone.now().timestamp()) - 61))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert "it has expired at" in answer.json()["message"]


def test_an_issuer_that_is_away_is_a_503(keys: KeyServer) -> None:
    keys.away = True
    answer = get("/rest/v1/me", token())
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert answer["Retry-After"] == "60"


# -- pilots ----------------------------------------------------------------------------------------


def test_a_pilots_token_claims_at_its_site_and_does_nothing_else(keys: KeyServer) -> None:
    for name in ("AGLT2", "MWT2"):
        make.create_site(name)
    bearer = token(scope=PILOT)
    assert claim(bearer).status_code == 200
    assert claim(bearer, site="MWT2").json()["code"] == "site_not_allowed"
    assert get("/rest/v1/jobs", bearer).status_code == 403
    assert PilotAccount.objects.get().site.name == "AGLT2"


def test_a_token_of_a_person_is_none_of_a_pilot(keys: KeyServer) -> None:
    make.create_site("AGLT2")
    answer = claim(token())
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert not PilotAccount.objects.exists() and not User.objects.exists()


def test_there_are_no_pilots_of_a_site_that_there_is_not(keys: KeyServer) -> None:
    answer = claim(token(scope="panda.pilot:NOWHERE"))
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_a_ban_of_a_sites_pilots_is_felt_within_a_minute(keys: KeyServer) -> None:
    make.create_site("AGLT2")
    bearer, now = token(scope=PILOT).encode(), timezone.now()
    bearers.caller_of(bearer, now=now)
    User.objects.update(is_active=False)
    with pytest.raises(Banned):
        bearers.caller_of(bearer, now=now + dt.timedelta(seconds=31))


def test_a_pilots_token_that_is_known_again_is_refused_once_it_has_expired(
    keys: KeyServer,
) -> None:
    make.create_site("AGLT2")
    now = timezone.now()
    bearer = signed(claims(now, scope=PILOT, exp=int(now.timestamp()) - 50)).encode()
    bearers.caller_of(bearer, now=now)
    with pytest.raises(Exception, match="it has expired"):
        bearers.caller_of(bearer, now=now + dt.timedelta(seconds=11))


def test_a_banned_factory_gets_no_pilot_in(keys: KeyServer) -> None:
    make.create_site("AGLT2")
    factory = make.create_user("factory")
    Identity.objects.create(user=factory, issuer=NAME, subject="f1", created_at=timezone.now())
    User.objects.filter(pk=factory.pk).update(is_active=False)
    assert claim(token(sub="f1", scope=PILOT)).json()["code"] == "banned"


# -- PanDA's wire ----------------------------------------------------------------------------------


def test_a_pilots_token_gets_jobs_at_pandas_addresses(keys: KeyServer) -> None:
    make.create_site("AGLT2")
    body = urlencode({"siteName": "AGLT2", "node": "wn1", "prodSourceLabel": "managed"})
    form = "application/x-www-form-urlencoded"
    headers = {"Authorization": f"Bearer {token(scope=PILOT)}", "Accept": "application/json"}
    answer = Client().post("/server/panda/getJob", body, form, headers=headers)
    assert (answer.status_code, answer.json()["StatusCode"]) == (200, 20)


def test_a_user_is_known_at_pandas_addresses(keys: KeyServer) -> None:
    answer = get("/api/v1/system/get_user_attributes", token()).json()
    assert answer["success"] is True


def test_who_only_reads_changes_nothing_at_pandas_addresses(keys: KeyServer) -> None:
    reading = token(scope="panda.read")
    told = get("/api/v1/system/get_user_attributes", reading).json()
    refused = post("/api/v1/harvester/heartbeat", {}, reading)
    assert told["success"] is True
    assert refused.status_code == 403 and "panda.write" in refused.content.decode()


def test_a_bad_token_is_refused_at_pandas_addresses(keys: KeyServer) -> None:
    for path in ("/server/panda/getJob", "/api/v1/system/get_user_attributes"):
        answer = get(path, token(aud="https://other.example"))
        assert answer.status_code in (401, 405)
    assert not User.objects.exists()
