"""Pilots that run nothing: they claim, say that they run, and that they have finished."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from tests.faults.asking import CLAIM, REPORT, Asker
from tests.faults.grid import Place
from tests.faults.history import History, Op

GUID = "7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00"
ADLER32 = "0c2a04f1"
JOBS_PER_NODE = 20  # a slot of a worker node: what is asked for by one node has a limit
_serial = itertools.count(1)


class Pilot:
    """One pilot of a place. `url` may be that of a proxy; `forgetful`: a new key for each try."""

    def __init__(
        self, place: Place, history: History, *, url: str, forgetful: bool = False
    ) -> None:
        self.place = place
        self.name = f"p{next(_serial)}"
        self.asker = Asker(url, place.token, history)
        self._next_key = new_key if forgetful else None
        self._claims = 0

    def claim(self) -> dict[str, Any] | None:
        """A job with its lease, or None when there is none."""
        done = self.asker.insist(
            "claim", CLAIM, self.facts(), key=new_key(), next_key=self._next_key
        )
        assert done.status == 200, done
        return done.job

    def facts(self) -> dict[str, Any]:
        self._claims += 1
        node = f"{self.name}-wn{self._claims // JOBS_PER_NODE}"
        return facts(self.place, node=node, pilot_id=self.name)

    def report(self, job: dict[str, Any], state: str, *, seq: int, **more: Any) -> Op:
        """Say it until there is an answer; `more` replaces fields of the body."""
        body = report_body(job, state, seq=seq) | more
        key = f"{job['panda_id']}.{job['attempt_nr']}.{seq}"
        return self.asker.insist(state, REPORT, body, key=key)

    def run(self, job: dict[str, Any]) -> Op:
        """The whole life of a job; the answer to the last word."""
        self.report(job, "running", seq=1)
        return self.report(job, "finished", seq=2)


def new_key() -> str:
    return uuid.uuid4().hex


def facts(place: Place, *, node: str, pilot_id: str) -> dict[str, Any]:
    """The body of a claim."""
    return {
        "site": place.name,
        "node": node,
        "pilot_id": pilot_id,
        "cpu_speed_mhz": 2400,
        "memory_mb": 4000,
        "free_disk_mb": 20_000,
        "releases": [],
        "labels": ["managed"],
    }


def report_body(job: dict[str, Any], state: str, *, seq: int, guid: str = GUID) -> dict[str, Any]:
    """The body of a report; a finish names every output of the job."""
    said = {name: job[name] for name in ("panda_id", "attempt_nr", "lease_token")}
    body: dict[str, Any] = {**said, "seq": seq, "state": state}
    if state == "finished":
        about = {"guid": guid, "size": 1000, "adler32": ADLER32}
        body["output_files"] = [{"lfn": f["lfn"], **about} for f in job["output_files"]]
    if state == "failed":
        body["exit_code"] = 1
    return body
