"""Ready-made HTTP requests of pilots and users."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.grid import (
    CMT_CONFIG,
    CORES,
    CPU_MHZ,
    DISK_MB,
    MEMORY_MB,
    PILOTS_A_SITE,
    RELEASES,
    Place,
    node,
    pilot_id,
)

CLAIM = "/rest/v1/pilot/claim"
REPORT = "/rest/v1/pilot/report"
REPORTS = "/rest/v1/pilot/reports"
JOBS = "/rest/v1/jobs"
GUID = "7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00"
LABELS = ("managed", "user", "panda")


class Calls:
    """Makes the bytes of requests to one server."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._keys = itertools.count(1)

    def get(self, path: str) -> bytes:
        """A page, as a browser asks for it."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self._host}", "Accept: text/html"]
        return "\r\n".join([*lines, "Accept-Encoding: gzip", "", ""]).encode()

    def post(self, path: str, token: str, body: bytes, *, key: str = "") -> bytes:
        """A JSON body with a token, and with an idempotency key if there is one."""
        return self.head(path, token) + self.tail(body, key)

    def head(self, path: str, token: str) -> bytes:
        """The part of a request that is the same each time."""
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Token {token}\r\n"
            "Content-Type: application/json\r\nAccept: application/json\r\n"
        ).encode()

    def key(self, prefix: str = "bench") -> str:
        """A new idempotency key."""
        return f"{prefix}-{next(self._keys)}"

    def claims(
        self, sites: Sequence[Place], *, pilots: int = PILOTS_A_SITE, **more: Any
    ) -> Iterator[tuple[bytes, int]]:
        """Claims without end, each with the number of its site: by each of its pilots in turn."""
        ready = [
            (self.head(CLAIM, place.token), claim_body(place, k, **more), number)
            for k in range(pilots)
            for number, place in enumerate(sites)
        ]
        for head, body, number in itertools.cycle(ready):
            yield head + self.tail(body, self.key()), number

    def tail(self, body: bytes, key: str = "") -> bytes:
        """What follows `head`: the key, the length, the body."""
        said = f"Idempotency-Key: {key}\r\n" if key else ""
        return f"{said}Content-Length: {len(body)}\r\n\r\n".encode() + body


def claim_body(place: Place, k: int, **more: Any) -> bytes:
    """What the k-th pilot of a site says of itself; it has all that the jobs ask for."""
    said = {
        "site": place.name,
        "node": node(place.name, k),
        "pilot_id": pilot_id(place.name, k),
        "factory": "bench",
        "cpu_speed_mhz": CPU_MHZ,
        "memory_mb": MEMORY_MB,
        "free_disk_mb": DISK_MB,
        "core_count": CORES,
        "releases": [{"release": name, "cmt_config": CMT_CONFIG} for name in RELEASES],
        "labels": list(LABELS),
    }
    return encoded(said | more)


def report_fields(
    panda_id: int, token: str, seq: int, state: str, attempt: int = 1
) -> dict[str, Any]:
    """A heartbeat with what a pilot measures."""
    return {
        "panda_id": panda_id,
        "attempt_nr": attempt,
        "lease_token": token,
        "seq": seq,
        "state": state,
        "cpu_consumption_time": 1700 * seq,
        "max_rss_mb": 800 + panda_id % 400,
    }


def final_fields(
    panda_id: int, token: str, seq: int, outputs: Sequence[str], attempt: int = 1
) -> dict[str, Any]:
    """The final word of a job that went well, with its outputs."""
    files = [
        {"lfn": lfn, "guid": GUID, "size": 1_000_000, "adler32": "0c2a04f1"} for lfn in outputs
    ]
    said = report_fields(panda_id, token, seq, "finished", attempt)
    return said | {"exit_code": 0, "output_files": files}


def encoded(body: Any) -> bytes:
    """JSON without blanks."""
    return json.dumps(body, separators=(",", ":")).encode()
