"""Bodies that cannot be are refused, and who calls too often is told to wait."""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import ExitStack
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.test import Client

from jobs.api.panda.body import INFLATED_MAX, inflate
from jobs.api.panda.readers import MOST, Readers
from jobs.models import Job
from pandasite.base.json import BodyTooLarge
from pandasite.base.rate import TooOften
from tests.panda.calls import (
    FORM,
    GET_JOB,
    JSON,
    form,
    get,
    get_job,
    packed,
    token,
    told,
    waiting_job,
    word,
)
from tests.panda.test_attacks import ACQUIRE, GET, UPDATE, untouched

pytestmark = pytest.mark.django_db


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
FIELDS = b"&".join(b"a%d=" % n for n in range(100_000))


def many_keys():
    """Made when it is sent: it takes a while."""
    return b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}"


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (DEEP, JSON, 400), (many_keys, JSON, 413), (FIELDS, FORM, 413),
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
        "POST", path, raw() if callable(raw) else raw, content_type=content_type, **authorization
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
