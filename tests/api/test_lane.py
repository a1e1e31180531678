"""The short way of pilots, past Django: the same answers, headers and refusals as the long way."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from brokerage.models import Site
from jobs import identity
from jobs.api import lane
from jobs.models import ClaimKey, Job
from pandasite.wsgi import application
from tests.api.calls import CLAIM, REPORT, held_job, report_of, the_site
from tests.builders import create_job

pytestmark = pytest.mark.django_db
CLAIMS, BEAT, BEATS = lane.LANES


@dataclass(frozen=True)
class Told:
    """An answer as the web server gets it."""

    status: str
    headers: Mapping[str, str]
    body: Any

    @classmethod
    def of(cls, status: str, headers: Sequence[tuple[str, str]], body: bytes) -> Told:
        assert len(headers) == len(dict(headers)), "a header twice"
        return cls(status, dict(headers), json.loads(body))


@pytest.fixture
def token() -> str:
    """A pilot's token that this process has seen before."""
    token = identity.new_pilot_token(the_site())
    post(BEAT, REPORT, token)
    return token


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of the requests that Django was given."""
    taken: list[str] = []
    django = application.__globals__["django"]

    def noted(environ: Any, start_response: Any) -> Any:
        taken.append(environ["PATH_INFO"])
        return django(environ, start_response)

    monkeypatch.setitem(application.__globals__, "django", noted)
    return taken


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's ends of requests would close the connection of the test's transaction."""
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)


def post(path: str, body: Any, token: str, **more: Any) -> Told:
    """What the WSGI application answers; the headers in `more` by their names there."""
    begun: list[Any] = []
    pieces = application(
        environ_of(path, body, token, **more),
        lambda status, headers, _error=None: begun.extend((status, headers)),
    )
    status, headers = begun
    return Told.of(status, headers, b"".join(pieces))


def environ_of(path: str, body: Any, token: str, **more: Any) -> dict[str, Any]:
    """A request as the web server hands it on."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": f"Token {token}", "HTTP_IDEMPOTENCY_KEY": "k1",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)),
        "wsgi.input": io.BytesIO(raw), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    } | more  # fmt: skip


def test_a_claim_and_its_heartbeats_take_the_short_way(token: str, long_way: list[str]) -> None:
    job = create_job("activated", site=the_site())

    told = post(CLAIMS, CLAIM, token)
    said = REPORT | {"panda_id": job.pk, "lease_token": told.body["job"]["lease_token"]}
    beat = post(BEAT, said, token)
    beats = post(BEATS, {"reports": [said | {"seq": 2}]}, token)

    assert [one.status for one in (told, beat, beats)] == ["200 OK"] * 3
    assert (beat.body["state"], beats.body["answers"][0]["replayed"]) == ("running", False)
    assert long_way == []
    assert Job.objects.get().state == "running"


@pytest.mark.parametrize("path", list(lane.LANES))
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_both_ways_give_the_same_answer(
    token: str, long_way: list[str], path: str, secure: bool
) -> None:
    scheme = {"wsgi.url_scheme": "https"} if secure else {}
    job = held_job()
    body = {CLAIMS: CLAIM, BEAT: report_of(job), BEATS: {"reports": [report_of(job)]}}[path]
    post(path, body, token, **scheme)  # from now on nothing of it is new

    short = post(path, body, token, **scheme)
    long = post(path, body, token, HTTP_ACCEPT="application/json, */*", **scheme)

    assert long_way == [path]
    own = {"X-Request-ID", "Retry-After"}
    assert short.status == long.status
    assert strip(short.headers, own) == strip(long.headers, own)
    assert strip(short.body, {"retry_after"}) == strip(long.body, {"retry_after"})


def strip(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """All but these, and that those are there on both sides says the length."""
    return {name: value for name, value in values.items() if name not in names} | {
        "also": sorted(names & values.keys())
    }


def test_the_request_id_of_the_client_comes_back(token: str) -> None:
    told = post(CLAIMS, CLAIM, token, HTTP_X_REQUEST_ID="seen-before")

    assert told.headers["X-Request-ID"] == "seen-before"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"HTTP_HOST": "elsewhere.example.org"}, "400"),
        ({"HTTP_AUTHORIZATION": "Token unknown"}, "401"),
        ({"HTTP_AUTHORIZATION": ""}, "401"),
        ({"HTTP_IDEMPOTENCY_KEY": "not a key"}, "400"),
        ({"HTTP_ACCEPT": "text/html"}, "406"),
        ({"QUERY_STRING": "format=json"}, "200"),
        ({"CONTENT_TYPE": "text/plain"}, "415"),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, "415"),
        ({"CONTENT_LENGTH": ""}, "400"),
        ({"REQUEST_METHOD": "GET"}, "405"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_a_head_that_is_not_plain_goes_the_long_way(
    token: str, long_way: list[str], more: dict[str, str], status: str
) -> None:
    told = post(CLAIMS, CLAIM, token, **more)

    assert (told.status[:3], long_way) == (status, [CLAIMS])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (CLAIM | {"memory_mb": -1}, "out_of_range"),
        (CLAIM | {"memroy_mb": 1}, "unknown_field"),
        (CLAIM | {"site": "NOWHERE"}, "unknown_site"),
        (b"{", "bad_json"),
    ],
    ids=["number", "name", "site", "json"],
)
def test_a_body_that_is_wrong_gets_the_words_of_the_long_way(
    token: str, long_way: list[str], body: Any, code: str
) -> None:
    told = post(CLAIMS, body, token)

    assert (told.body["code"], long_way) == (code, [CLAIMS])


def test_a_refusal_is_answered_by_the_view_and_decided_once(
    token: str, long_way: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, asked = held_job(), []
    kept = lane.LANES[BEAT].work
    counted = lane.Lane(
        body=lane.LANES[BEAT].body,
        work=lambda *words: (asked.append(words), kept(*words))[1],  # type: ignore[func-returns-value]
    )
    monkeypatch.setitem(lane.LANES, BEAT, counted)  # type: ignore[arg-type]

    told = post(BEAT, report_of(job, attempt_nr=7), token)

    assert (told.status[:3], len(asked), long_way) == ("409", 1, [BEAT])
    assert told.body["request_id"] == told.headers["X-Request-ID"]


def test_a_token_that_was_taken_back_opens_nothing(token: str, long_way: list[str]) -> None:
    create_job("activated", site=the_site())
    User.objects.filter(pilot_account__site__name=the_site().name).update(is_active=False)

    told = post(CLAIMS, CLAIM, token)

    assert (told.status[:3], told.body["code"], long_way) == ("403", "banned", [CLAIMS])
    assert not ClaimKey.objects.exists()


def test_plain_http_goes_the_long_way_where_the_site_wants_tls(
    token: str, long_way: list[str], settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True  # the middleware has read it before

    post(CLAIMS, CLAIM, token)
    post(CLAIMS, CLAIM, token, **{"wsgi.url_scheme": "https"})

    assert long_way == [CLAIMS]


def test_a_job_of_a_site_with_another_name_is_not_given(token: str, long_way: list[str]) -> None:
    Site.objects.update(name="RENAMED")
    create_job("activated", site=Site.objects.get())

    told = post(CLAIMS, CLAIM | {"site": "RENAMED"}, token)

    assert (told.status, long_way) == ("403 Forbidden", [CLAIMS])
