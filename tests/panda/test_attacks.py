"""Attack sets A1-A3 and A8-A10 against PanDA's own addresses."""

from __future__ import annotations

import gzip
import json
import logging
import tracemalloc
from contextlib import ExitStack
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.db import OperationalError, connection
from django.test import Client

from jobs import identity
from jobs.api.auth import KNOWN
from jobs.api.panda.body import INFLATED_MAX, inflate
from jobs.api.panda.readers import MOST, Readers
from jobs.models import Job, KeptLease
from pandasite.base.json import BodyTooLarge
from pandasite.base.rate import TooOften
from tests.api.calls import SITE, the_site
from tests.builders import create_site
from tests.panda.calls import (
    FORM,
    GET_JOB,
    JSON,
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


# -- A8 bodies ---------------------------------------------------------------------------------


def padded(size: int) -> dict[str, Any]:
    return GET_JOB | {"metaData": "x" * size}


@pytest.mark.parametrize("send", [form, packed], ids=["form", "packed"])
@pytest.mark.parametrize("path", [GET, ACQUIRE])
def test_a_body_over_the_limit_is_refused(path, send):
    answer = send(path, padded(INFLATED_MAX), by=token())

    assert (answer.status_code, told(answer)["code"]) == (413, "too_large")


def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            inflate(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(bomb) < 1024 * 1024
    assert peak < 4 * INFLATED_MAX


def test_what_is_packed_may_be_ten_times_as_large_or_a_megabyte():
    assert len(inflate(gzip.compress(bytes(1024 * 1024)))) == 1024 * 1024
    with pytest.raises(BodyTooLarge):
        inflate(gzip.compress(bytes(1024 * 1024 + 1)))


DEEP = b'{"node": ' + b"[" * 100_000
KEYS = b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}"
FIELDS = b"&".join(b"a%d=" % n for n in range(100_000))


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (DEEP, JSON, 400), (KEYS, JSON, 413), (FIELDS, FORM, 413),
        (gzip.compress(DEEP), JSON, 400), (gzip.compress(b"{}")[:-9], JSON, 400),
        (b"\x1f\x8bnonsense", JSON, 400), (gzip.compress(b"{}") * 2, JSON, 400),
        (b'{"node": "a", "node": "b"}', JSON, 400), (b'{"node": "\\u0000"}', JSON, 400),
        (b'{"mem": 1e999}', JSON, 400), (b"[1]", JSON, 400), (b"node=%ff", FORM, 400),
        ("node=\xe9".encode(), FORM, 400), (b"<xml/>", "text/xml", 415),
    ],
    ids=[
        "deep", "a million keys", "a hundred thousand fields", "deep, packed", "cut off",
        "no gzip", "two gzips", "twice", "nul", "no number", "list", "no utf-8", "bytes", "xml",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [GET, ACQUIRE])
def test_a_body_that_cannot_be_is_refused(path, raw, content_type, status):
    waiting_job()
    authorization = {"HTTP_AUTHORIZATION": f"Bearer {token()}"}
    answer = Client(raise_request_exception=False).generic(
        "POST", path, raw, content_type=content_type, **authorization
    )

    assert answer.status_code == status, answer.content
    if content_type == JSON:
        assert told(answer)["message"]
    assert untouched()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("mem", "-1", "out_of_range"), ("mem", str(2**31), "out_of_range"),
        ("diskSpace", "much", "not_an_integer"), ("cpu", "nan", "not_an_integer"),
        ("nJobs", "101", "out_of_range"), ("nJobs", "0", "out_of_range"),
        ("node", "x" * 129, "too_long"), ("node", "wn\x0101", "control_character"),
        ("node", "", "node_required"), ("siteName", "", "site_name_required"),
        ("prodSourceLabel", "mannaged", "unknown_label"),
    ],
)  # fmt: skip
def test_a_fact_that_cannot_be_is_refused_by_its_name(name, value, code):
    answer = form(GET, GET_JOB | {name: value}, by=token())

    refused = told(answer)
    assert (answer.status_code, refused["StatusCode"], refused["code"]) == (400, 30, code)
    assert refused["fields"][0]["field"] == name


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("jobId", "", "job_id_required"), ("jobId", "NULL", "job_id_required"),
        ("jobId", "x", "not_an_integer"), ("jobId", "0", "out_of_range"),
        ("attemptNr", "", "attempt_nr_required"), ("state", "done", "unknown_state"),
        ("state", "", "job_status_required"), ("cpuConsumptionTime", "-1", "out_of_range"),
        ("transExitCode", "99999", "out_of_range"), ("xml", "<POOLFILECATALOG>", "bad_json"),
        ("xml", "[]", "not_an_object"), ("xml", '{"../x": {"fsize": 1}}', "bad_lfn"),
        ("xml", '{"x": {"adler32": "00000001"}}', "fsize_required"),
        ("xml", '{"x": {"fsize": 1, "adler32": "zz"}}', "bad_checksum"),
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_is_refused_by_its_name(name, value, code):
    by = token()
    waiting_job()
    said = word(get_job(by=by), "finished") | {name: value}

    answer = form(UPDATE, said, by=by)

    refused = told(answer)
    assert (answer.status_code, refused["StatusCode"], refused["code"]) == (400, 30, code)
    assert refused["fields"][0]["field"].startswith(name)
    assert Job.objects.get().state == "sent"


def test_what_changes_something_is_not_done_by_get():
    for path in (ACQUIRE, GET, UPDATE):
        answer = get(path, GET_JOB, by=token())
        assert answer.status_code == 405
        assert "is called by POST, not by GET" in unquote_plus(answer.content.decode())


def test_what_is_none_of_pandas_addresses_is_forbidden_as_there():
    for path in ("/server/panda/nonsense", "/api/v1/pilot/nonsense", "/api/v1/nonsense/x"):
        answer = form(path, {}, by=token())
        assert (answer.status_code, answer.headers["Content-Type"]) == (
            403, "text/plain; charset=utf-8",
        )  # fmt: skip
        assert b"is forbidden" in answer.content


def test_an_account_that_holds_bodies_back_gets_no_more_threads():
    readers = Readers()
    with ExitStack() as held:
        for _ in range(MOST):
            held.enter_context(readers.slot("slow"))
        with pytest.raises(TooOften), readers.slot("slow"):
            pass
        with readers.slot("another"):
            pass
    with readers.slot("slow"):
        pass


# -- A9 too often ------------------------------------------------------------------------------


def test_wrong_tokens_of_one_address_are_answered_only_so_often(settings):
    settings.PANDASITE = {**settings.PANDASITE, "BAD_TOKENS": 10}
    good = token()

    found = [form(GET, GET_JOB, by="f" * 64).status_code for _ in range(12)]

    assert found == [401] * 10 + [429] * 2
    assert form(GET, GET_JOB, by=good).status_code == 200
    assert form(GET, GET_JOB, by="f" * 64, REMOTE_ADDR="10.0.0.9").status_code == 401


def test_a_node_that_calls_all_the_time_is_told_to_wait_and_others_are_not(settings):
    settings.PANDASITE = {**settings.PANDASITE, "NODE_CALLS": 3}
    by = token()

    answers = [form(GET, GET_JOB, by=by) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert told(answers[-1])["StatusCode"] == 10
    assert form(GET, GET_JOB | {"node": "wn02"}, by=by).status_code == 200


def test_without_a_broker_nobody_is_counted_and_everybody_is_answered(settings, monkeypatch):
    from kombu.exceptions import OperationalError

    from pandasite.base import rate

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(rate, "_away_until", 0.0)
    monkeypatch.setattr("celery.current_app.producer_pool.acquire", away)
    settings.PANDASITE = {**settings.PANDASITE, "NODE_CALLS": 1}
    by = token()

    assert [form(GET, GET_JOB, by=by).status_code for _ in range(3)] == [200] * 3


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
