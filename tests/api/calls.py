"""Calls of the REST door as strangers make them, and what every refusal must look like."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponseBase
from rest_framework.test import APIClient

from brokerage.models import Site
from jobs import identity
from tests.builders import ADLER32, GUID, LEASE_TOKEN, create_job, create_site, create_user

SITE = "AGLT2"
RAW = "@raw@"  # stands for a value that is written into the JSON text as it is

CLAIM = {
    "site": SITE,
    "node": "wn01.aglt2.org",
    "pilot_id": "pilot1",
    "factory": "bnl",
    "cpu_speed_mhz": 2400,
    "memory_mb": 2000,
    "free_disk_mb": 20000,
    "core_count": 1,
    "releases": [{"release": "Atlas-14.5.0", "cmt_config": "x86_64-slc5"}],
    "labels": ["managed", "user"],
}
REPORT = {
    "panda_id": 1,
    "attempt_nr": 1,
    "lease_token": LEASE_TOKEN,
    "seq": 1,
    "state": "running",
}
REPORTS = {"reports": [REPORT]}
JOB = {
    "job_name": "mc09.evgen.1",
    "prod_source_label": "user",
    "transformation": "evgen.py",
    "vo": "atlas",
    "min_ram_count": 1500,
    "output_files": [{"lfn": "HIST.1", "scope": "user.alice", "dataset": "user.alice.HIST"}],
}
SUBMIT = {"jobs": [JOB]}
TASKS = {
    "tasks": [
        {
            "name": "user.alice.evgen",
            "vo": "atlas",
            "transformation": "evgen.py",
            "events": 20,
            "events_per_job": 10,
            "memory_mb": 2000,
            "outputs": [{"dataset": "user.alice.EVNT", "scope": "user.alice", "lfn": "E.${SN}"}],
        }
    ]
}
DATASET = {"name": "user.alice.test", "storage": "BNL_DISK", "lifetime_days": 30}
KILL = {"panda_ids": [1], "reason": "wrong seed"}
REPORTED_FILE = {"lfn": "HIST.1", "guid": GUID, "size": 10, "adler32": ADLER32}


@dataclass(frozen=True)
class Address:
    """A POST address: a good body, and where in it a text and an integer stand."""

    name: str
    path: str
    by: str  # pilot or person
    body: dict[str, Any]
    text: tuple[str | int, ...]
    integer: tuple[str | int, ...]
    limit: int  # bytes of body
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


POSTS = (
    Address(
        "claim", "/rest/v1/pilot/claim", "pilot", CLAIM, ("node",), ("memory_mb",), 2**20,
        {"HTTP_IDEMPOTENCY_KEY": "k1"},
    ),
    Address(
        "report", "/rest/v1/pilot/report", "pilot", REPORT, ("lease_token",), ("panda_id",), 2**20
    ),
    Address(
        "submit", "/rest/v1/jobs", "person", SUBMIT, ("jobs", 0, "job_name"),
        ("jobs", 0, "min_ram_count"), 2**24,
    ),
    Address(
        "kill", "/rest/v1/jobs/kill", "person", KILL, ("reason",), ("panda_ids", 0), 2**20
    ),
    Address(
        "dataset", "/rest/v1/datasets", "person", DATASET, ("storage",), ("lifetime_days",), 2**20
    ),
    Address(
        "tasks", "/rest/v1/tasks", "person", TASKS, ("tasks", 0, "name"),
        ("tasks", 0, "memory_mb"), 2**24,
    ),
    Address(
        "reports", "/rest/v1/pilot/reports", "pilot", REPORTS, ("reports", 0, "lease_token"),
        ("reports", 0, "panda_id"), 2**24,
    ),
)  # fmt: skip
GETS = (
    "/rest/v1/jobs", "/rest/v1/jobs/1", "/rest/v1/tasks", "/rest/v1/tasks/1", "/rest/v1/datasets",
    "/rest/v1/subscriptions", "/rest/v1/me",
)  # fmt: skip


def client(token: str = "") -> APIClient:
    """A client that shows a 500 as an answer, not as an exception."""
    made = APIClient(raise_request_exception=False)
    if token:
        made.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return made


def pilot(site: Site | None = None) -> APIClient:
    """A pilot of AGLT2, or of another site."""
    return client(identity.new_pilot_token(site or the_site()))


def person(name: str = "alice", *, production: bool = False) -> APIClient:
    return client(identity.new_token(create_user(name, production=production), days=1))


def caller(address: Address) -> APIClient:
    """Who may call this address."""
    the_site()
    return pilot() if address.by == "pilot" else person()


def the_site() -> Site:
    return Site.objects.filter(name=SITE).first() or create_site(SITE)


def send(who: APIClient, address: Address, body: Any, **headers: Any) -> Any:
    """POST `body`: a dict as JSON, bytes and text as they are."""
    raw = body if isinstance(body, bytes | str) else json.dumps(body)
    content_type = headers.pop("content_type", "application/json")
    return who.generic(
        "POST", address.path, raw, content_type=content_type, **address.headers | headers
    )


def changed(body: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at one place."""
    other = copy.deepcopy(body)
    inner: Any = other
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return other


def with_raw(body: dict[str, Any], place: tuple[str | int, ...], text: str) -> str:
    """The JSON of `body` with `text` written as the value at one place."""
    return json.dumps(changed(body, place, RAW)).replace(f'"{RAW}"', text)


def path_of(place: tuple[str | int, ...]) -> str:
    """("jobs", 0, "lfn") as jobs[0].lfn."""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return words.lstrip(".")


def problem(answer: HttpResponseBase, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, which must have this status and code and the common form."""
    text = getattr(answer, "content", b"").decode()
    assert answer.status_code == status, text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(text)
    assert body["code"] == code, text
    assert isinstance(body["message"], str) and body["message"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    for one in body["fields"]:
        assert {"field", "code", "message"} <= one.keys() <= {"field", "code", "message", "limit"}
    for secret in ("Traceback", "SELECT", "/site-packages/", "psycopg"):
        assert secret not in text
    return body


def held_job(**columns: Any) -> Any:
    """A job of AGLT2 that runs under LEASE_TOKEN, attempt 1."""
    return create_job("running", site=the_site(), **columns)


def report_of(job: Any, **more: Any) -> dict[str, Any]:
    return REPORT | {"panda_id": job.pk} | more
