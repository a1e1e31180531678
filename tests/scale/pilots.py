"""Pilots and a manager as programs that know one or two addresses of the site."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.builders import ADLER32, GUID

TRY_SECONDS = 30.0
TRIES = 100
_serial = itertools.count(1)


@dataclass(kw_only=True)
class Caller:
    """Asks until there is an answer; each try at the next of its addresses."""

    urls: Sequence[str]
    token: str
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        headers = {"Authorization": f"Token {self.token}", "Idempotency-Key": key}
        said = ""
        for _, url in zip(range(TRIES), itertools.cycle(self.urls), strict=False):
            try:
                answer = self.session.post(
                    f"{url}{path}", json=body, headers=headers, timeout=TRY_SECONDS
                )
            except requests.RequestException as error:
                said = str(error)
                time.sleep(0.05)
                continue
            if answer.ok:
                return dict(answer.json())
            said = answer.text
            assert answer.status_code >= 500 or "in_flight" in said, said
            time.sleep(0.05)
        raise AssertionError(f"no answer to {path}: {said}")


class Manager(Caller):
    """Who submits a production."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(urls=[url], token=token)

    def submit(self, *, place: str, number: int) -> list[int]:
        """Jobs that need nothing and make one file; their PandaIDs."""
        tag = f"t{next(_serial)}"
        body = {"jobs": [job_body(tag, nr, place=place) for nr in range(number)]}
        answer = self.post("/rest/v1/jobs", body, key=uuid.uuid4().hex)
        return [int(job["panda_id"]) for job in answer["jobs"]]


def job_body(tag: str, nr: int, *, place: str) -> dict[str, Any]:
    output = {"lfn": f"OUT.{tag}._{nr:06d}.root", "scope": "scale", "dataset": f"scale.{tag}.OUT"}
    return {
        "job_name": f"scale.{tag}._{nr:06d}",
        "prod_source_label": "managed",
        "transformation": "evgen.py",
        "vo": "atlas",
        "site": place,
        "output_files": [output],
    }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A claim that was answered: the key, where, and the job."""

    key: str
    url: str
    job: dict[str, Any]


class Pilot:
    """Claims at one address and reports at the other, and the next time the other way round."""

    def __init__(self, *, urls: Sequence[str], token: str, place: str) -> None:
        self.name = f"p{next(_serial)}"
        self.place = place
        self._urls = list(urls)
        self._token = token
        self._session = requests.Session()
        self.answers: list[Answer] = []

    def claim(self, *, key: str = "") -> dict[str, Any] | None:
        """A job, or None; with the key of an earlier claim the same job again."""
        key = key or uuid.uuid4().hex
        answer = self._caller().post("/rest/v1/pilot/claim", self.facts(), key=key)
        if answer["job"]:
            self.answers.append(Answer(key=key, url=self._urls[0], job=answer["job"]))
        self.turn()
        return dict(answer["job"]) if answer["job"] else None

    def run(self, job: dict[str, Any]) -> None:
        """Report that it runs, and that it has finished, each to another host."""
        for seq, state in enumerate(("running", "finished"), 1):
            body = report_body(job, state, seq=seq)
            key = f"{job['panda_id']}.{job['attempt_nr']}.{seq}"
            answer = self._caller().post("/rest/v1/pilot/report", body, key=key)
            assert not answer.get("command"), answer
            self.turn()

    def work(self) -> int:
        """Do all there is, each job once; how many."""
        done = 0
        while (job := self.claim()) is not None:
            self.run(job)
            done += 1
        return done

    def turn(self) -> None:
        """The next request goes to the other host."""
        self._urls.append(self._urls.pop(0))

    def facts(self) -> dict[str, Any]:
        return claim_body(self.place, self.name)

    def _caller(self) -> Caller:
        return Caller(urls=tuple(self._urls), token=self._token, session=self._session)


def claim_body(place: str, pilot: str) -> dict[str, Any]:
    """The body of a claim; each pilot is alone on its node."""
    return {
        "site": place,
        "node": f"{pilot}.node",
        "pilot_id": pilot,
        "cpu_speed_mhz": 2400,
        "memory_mb": 4000,
        "free_disk_mb": 20_000,
        "releases": [],
        "labels": ["managed"],
    }


def report_body(job: dict[str, Any], state: str, *, seq: int) -> dict[str, Any]:
    """The body of a report; a finish names every output of the job."""
    held = {name: job[name] for name in ("panda_id", "attempt_nr", "lease_token")}
    body: dict[str, Any] = {**held, "seq": seq, "state": state}
    if state == "finished":
        about = {"guid": GUID, "size": 1000, "adler32": ADLER32}
        body["output_files"] = [{"lfn": one["lfn"], **about} for one in job["output_files"]]
    return body


def at_once(deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each of them gave, all begun at the same moment."""
    start = threading.Barrier(len(deeds))

    def do(deed: Callable[[], Any]) -> Any:
        start.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))
