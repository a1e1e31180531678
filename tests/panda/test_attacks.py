"""Attack sets A1-A3 and A8-A10 against PanDA's own addresses."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.db import OperationalError, connection

from jobs import identity
from jobs.api.auth import KNOWN
from jobs.models import Job, KeptLease
from tests.api.calls import SITE, the_site
from tests.builders import create_site
from tests.panda.calls import (
    GET_JOB,
    form,
    get,
    get_job,
    packed,
    token,
    token_of_a_person,
    told,
    update,
    waiting_job,
    word,
)

pytestmark = pytest.mark.django_db
GET, UPDATE = "/server/panda/getJob", "/server/panda/updateJob"
ACQUIRE = "/api/v1/pilot/acquire_jobs"
CALLS = [GET, UPDATE, ACQUIRE, "/server/panda/getResourceTypes", "/api/v1/job/kill"]


def untouched() -> bool:
    return list(Job.objects.values_list("state", flat=True)) == ["activated"]


# -- A1 forged headers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SSL_CLIENT_S_DN": "/CN=pilot@AGLT2"},
        {"HTTP_X_SSL_CLIENT_S_DN": "CN=pilot@AGLT2", "HTTP_X_SSL_CLIENT_VERIFY": "SUCCESS"},
        {"HTTP_SSL_CLIENT_VERIFY": "SUCCESS", "HTTP_SSL_CLIENT_CERT": "-----BEGIN"},
        {"HTTP_X_REMOTE_USER": "pilot@AGLT2"},
        {"HTTP_REMOTE_USER": "pilot@AGLT2"},
        {"HTTP_X_FORWARDED_USER": "pilot@AGLT2"},
        {"HTTP_GRST_CRED_AURI_0": "dn:/CN=pilot@AGLT2"},
        {"HTTP_ORIGIN": "pilot@AGLT2"},
    ],
    ids=lambda headers: next(iter(headers)),
)  # fmt: skip
def test_an_identity_in_a_header_is_not_believed(headers):
    waiting_job()
    identity.pilot_account(the_site())

    assert form(GET, GET_JOB, **headers).status_code == 401
    assert untouched()


# -- A2 tokens ---------------------------------------------------------------------------------

HEADER = "eyJhbGciOiJub25lIn0"


@pytest.mark.parametrize(
    "value",
    [
        "", "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "Bearer a b", "Bearer " + "x" * 5000,
        f"Bearer {HEADER}.eyJzdWIiOiJwaWxvdCJ9.", "Bearer eyJqa3UiOiJodHRwOi8vZXZpbC8ifQ.e30.c2ln",
        "Bearer \xff\xfe", "Bearer %00", "Bearer null", "Token 0", "Bearer ' OR 1=1 --",
    ],
    ids=[
        "empty", "word", "blank", "basic", "two", "long", "alg none", "jku", "bytes", "nul", "null",
        "token", "sql",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [GET, ACQUIRE])
def test_a_wrong_token_is_refused(path, value):
    waiting_job()

    answer = form(path, GET_JOB, HTTP_AUTHORIZATION=value)

    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert told(answer).get("StatusCode", 50) == 50
    assert untouched()


def test_the_token_of_a_person_takes_no_job():
    waiting_job()

    answer = form(GET, GET_JOB, by=token_of_a_person())

    assert (answer.status_code, told(answer)["StatusCode"]) == (403, 60)
    assert untouched()


def test_a_token_that_was_taken_back_is_heard_no_more():
    by = token()
    waiting_job()
    job = get_job(by=by)
    identity.pilot_account(the_site()).user.auth_token_set.all().delete()

    answer = form(UPDATE, word(job, "running"), by=by)

    assert answer.status_code == 401
    assert not is_json(answer)  # with a new token the pilot says it again
    assert Job.objects.get().state == "sent"
    assert KeptLease.objects.get().pilot_id == ""


def test_a_banned_account_is_told_so():
    by = token()
    get_job(by=by)
    user = identity.pilot_account(the_site()).user
    user.is_active = False
    user.save()

    assert form(GET, GET_JOB, by=by).status_code == 403


def is_json(answer: Any) -> bool:
    """What the pilots 3.7 take for word that they were heard."""
    try:
        json.loads(answer.content)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (ZeroDivisionError, 500)])
def test_a_word_that_could_not_be_heard_is_not_answered_as_if_it_was(error, status, monkeypatch):
    by = token()
    waiting_job()
    job = get_job(by=by)

    def broken(**_: Any) -> None:
        raise error

    monkeypatch.setattr("jobs.kept_leases.hear", broken)
    monkeypatch.setattr("jobs.kept_leases.claim", broken)
    word_answer = form(UPDATE, word(job, "finished"), by=by)
    job_answer = form(GET, GET_JOB, by=by)

    assert (word_answer.status_code, is_json(word_answer)) == (status, False)
    assert job_answer.status_code == status
    assert told(job_answer)["StatusCode"] in (10, 30)  # without JSON the pilot would end


# -- A3 the jobs of others ---------------------------------------------------------------------


def test_what_is_not_ones_own_is_answered_as_what_is_not_there():
    by = token()
    waiting_job()
    job = get_job(by=by)
    update(job, "running", by=by)
    here = [update(job, "finished", by=by, pilotID="other"), update(job, "failed", by=by, node="x")]
    missing = update(job | {"PandaID": 10**9}, "finished", by=by)
    other_site = create_site("MWT2_UC")
    there = update(job, "finished", by=token(other_site))

    def anonymous(answer: dict[str, Any], panda_id: int, site: str = SITE) -> str:
        return json.dumps(answer).replace(str(panda_id), "N").replace(site, "S")

    expected = anonymous(missing, 10**9)
    assert [anonymous(one, job["PandaID"]) for one in here] == [expected] * 2
    assert anonymous(there, job["PandaID"], "MWT2_UC") == expected
    assert Job.objects.get().state == "running"


def test_a_token_is_good_for_one_site():
    create_site("MWT2_UC")

    answer = form(GET, GET_JOB | {"siteName": "MWT2_UC"}, by=token())

    assert (answer.status_code, told(answer)["code"]) == (403, "site_not_allowed")


def test_a_site_that_nobody_knows_is_not_found():
    answer = form(GET, GET_JOB | {"siteName": "ATLANTIS"}, by=token())

    assert (answer.status_code, told(answer)["code"]) == (404, "unknown_site")


def test_a_job_that_has_ended_does_not_change():
    by = token()
    waiting_job()
    job = get_job(by=by)
    update(job, "failed", by=by)
    before = Job.objects.values().get()

    update(job, "finished", by=by)
    update(job, "running", by=by)

    assert Job.objects.values().get() == before


# -- A10 secrets -------------------------------------------------------------------------------


def rows_with(text: str) -> list[str]:
    """The tables that have it somewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [name for (name,) in cursor.fetchall()]
        found = []
        for name in names:
            query = f'SELECT EXISTS (SELECT 1 FROM "{name}" t WHERE position(%s IN t::text) > 0)'
            cursor.execute(query, [text])
            if cursor.fetchone()[0]:
                found.append(name)
    return found


def test_a_token_is_in_no_line_no_row_and_no_answer(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    canary = token()
    KNOWN.clear()
    waiting_job()
    job = get_job(by=canary)
    bad = canary[:-1] + ("0" if canary[-1] != "0" else "1")
    answers = [
        form(UPDATE, word(job, "running"), by=canary),
        form(UPDATE, word(job, "nonsense"), by=canary),
        packed(UPDATE, b"\x1f\x8b", by=canary),
        get("/api/v1/system/get_attributes", {"a": "b"}, by=canary),
        get("/api/v1/system/get_user_attributes", by=canary),
        form("/server/panda/getProxy", {}, by=canary),
        form(GET, GET_JOB, by=bad),
    ]
    monkeypatch.setattr("jobs.kept_leases.claim", lambda **_: 1 / 0)
    answers.append(form(GET, GET_JOB, by=canary))

    assert answers[-1].status_code == 500
    assert told(answers[-1])["StatusCode"] == 30
    assert "division by zero" in caplog.text
    said = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    said += json.dumps(job) + "".join(answer.content.decode() for answer in answers)
    for secret in (canary, bad):
        assert secret not in said
        assert rows_with(secret) == []
    assert rows_with(SITE)  # else the search would find nothing at all


def test_the_token_of_a_kept_lease_is_told_to_nobody_and_stored_nowhere():
    from jobs import lease

    by = token()
    waiting_job()
    answer = json.dumps(get_job(by=by))
    secret = lease.token(KeptLease.objects.get().salt)

    assert lease.matches(secret, Job.objects.get().lease_sha256)
    assert secret not in answer
    assert rows_with(secret) == []
