"""The places that a test sends jobs to, and the jobs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

_serial = itertools.count(1)
SCOPE = "faults"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A site with a storage element of its own, and the token of its pilots."""

    name: str
    pk: int
    token: str


def new_name() -> str:
    return f"FAULTS_{next(_serial)}"


def job_body(tag: str, nr: int, *, site: str, **fields: Any) -> dict[str, Any]:
    """A job that needs nothing and makes one file."""
    return {
        "job_name": f"faults.{tag}._{nr:06d}",
        "prod_source_label": "managed",
        "transformation": "evgen.py",
        "vo": "atlas",
        "site": site,
        "output_files": [
            {"lfn": f"OUT.{tag}._{nr:06d}.root", "scope": SCOPE, "dataset": f"faults.{tag}.OUT"}
        ],
    } | fields
