"""Calls of PanDA's own addresses as its pilots make them."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import Client

from brokerage.models import Site
from jobs import identity
from jobs.models import Job
from tests.api.calls import SITE, the_site
from tests.builders import ADLER32, create_job, create_user

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
PILOT = "unknown|PR|3.7.0.36"
NODE = "wn01.aglt2.org"
GET_JOB = {
    "siteName": SITE,
    "computingElement": SITE,
    "prodSourceLabel": "managed",
    "diskSpace": "20000",
    "workingGroup": "",
    "cpu": "2399.9",
    "mem": "2000.0",
    "node": NODE,
    "allowOtherCountry": "False",
}


def token(site: Site | None = None) -> str:
    return identity.new_pilot_token(site or the_site())


def token_of_a_person(name: str = "alice") -> str:
    return identity.new_token(create_user(name), days=1)


def form(path: str, values: dict[str, Any], *, by: str = "", **headers: str) -> Any:
    """As the pilots 3.7 do it."""
    raw = urlencode(values)
    return _send(path, raw, FORM, by, {"HTTP_ACCEPT": JSON, "HTTP_ORIGIN": "panda.pilot"} | headers)


def packed(path: str, values: Any, *, by: str = "", **headers: str) -> Any:
    """As the pilots 3.11 do it: no header says that the body is packed."""
    raw = values if isinstance(values, bytes) else gzip.compress(json.dumps(values).encode())
    return _send(path, raw, JSON, by, headers)


def _send(path: str, raw: str | bytes, content_type: str, by: str, headers: dict[str, str]) -> Any:
    if by:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {by}"} | headers
    client = Client(raise_request_exception=False)
    return client.generic("POST", path, raw, content_type=content_type, **headers)


def get(path: str, values: dict[str, Any] | None = None, *, by: str = "") -> Any:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {by}"} if by else {}
    return Client(raise_request_exception=False).get(path, values or {}, **headers)


def get_job(*, by: str, **more: Any) -> dict[str, Any]:
    """The answer to getJob, in JSON."""
    return told(form("/server/panda/getJob", GET_JOB | more, by=by))


def update(job: dict[str, Any], state: str, *, by: str, **more: Any) -> dict[str, Any]:
    """The answer to updateJob on a job that was given out."""
    return told(form("/server/panda/updateJob", word(job, state) | more, by=by))


def word(job: dict[str, Any], state: str) -> dict[str, Any]:
    return {
        "jobId": job["PandaID"],
        "attemptNr": job["attemptNr"],
        "state": state,
        "timestamp": "2009-09-17T12:00:00+00:00",
        "siteName": SITE,
        "node": NODE,
        "pilotID": PILOT,
        "schedulerID": "unknown",
        "coreCount": 1,
        "cpuConsumptionUnit": "s+Intel",
    }


def report_of(*lfns: str, guid: str = "") -> str:
    """What the pilot says of its files."""
    facts = {"guid": guid, "fsize": 44, "adler32": ADLER32, "surl": "file://localhost/x"}
    return json.dumps(dict.fromkeys(lfns, facts))


def told(answer: HttpResponse) -> Any:
    assert answer.headers["Content-Type"] == JSON, answer.content
    return json.loads(answer.content)


def waiting_job(**columns: Any) -> Job:
    """A job that waits at the site of these tests."""
    return create_job("activated", site=the_site(), **columns)


def given_job(by: str, **columns: Any) -> dict[str, Any]:
    """Such a job, as the pilot with this token got it."""
    waiting_job(**columns)
    return get_job(by=by)
