"""What a job of ours needs besides its files: the transformation's program, and a sandbox."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings

from jobs.models import Job, Sandbox
from jobs.sandboxes import services
from jobs.sandboxes.names import named_in
from jobs.trf.programs import program
from pandasite.base.clock import database_now

CACHE: Final = "/cache/"
KEY_SECONDS: Final = 7 * 86_400  # a pilot may hold a job for some days before it runs


def needs_of(jobs: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """By PandaID, for jobs as `dispatch` has them: `program`, and `sandbox` or None.

    Jobs with other transformations are left out. A sandbox is told only to jobs of its owner.
    """
    ours = [job for job in jobs if program(job["transformation"])]
    rows = _sandboxes({job["panda_id"]: named_in(job["job_parameters"]) for job in ours})
    return {
        job["panda_id"]: {
            "program": _program(job["transformation"]),
            "sandbox": rows.get(job["panda_id"]),
        }
        for job in ours
    }


def _sandboxes(named: dict[int, str]) -> dict[int, dict[str, Any]]:
    """By PandaID, what is told of the sandbox that the job names, if its owner has it."""
    names = {name for name in named.values() if name}
    rows = {row.name: row for row in Sandbox.objects.filter(name__in=names)} if names else {}
    if not rows:
        return {}
    now = database_now()
    services.touch(rows, now=now)
    owners = Job.objects.filter(pk__in=named).values_list("pk", "owner")
    return {
        panda_id: _sandbox(row, now)
        for panda_id, owner in owners
        if (row := rows.get(named[panda_id])) and row.owner_id == owner
    }


def _program(name: str) -> dict[str, Any]:
    found = program(name)
    assert found is not None
    facts = {"name": name, "path": found.path, "sha256": found.sha256}
    return facts | {"size": len(found.text)}


def _sandbox(row: Sandbox, now: dt.datetime) -> dict[str, Any]:
    opening = key(row.name, until=now + dt.timedelta(seconds=KEY_SECONDS))
    facts = {"name": row.name, "path": CACHE + row.name, "key": opening}
    return facts | {"sha256": row.sha256, "size": row.size}


def key(name: str, *, until: dt.datetime) -> str:
    """Opens this sandbox for who has no token, until then."""
    end = f"{int(until.timestamp()):x}"
    return f"{end}.{_signature(name, end)}"


def opens(name: str, given: str, *, now: dt.datetime) -> bool:
    """Whether it is a key for this sandbox whose time is not over."""
    end, _, signature = given.partition(".")
    # Looked at last: what was signed here is a number.
    return (
        hmac.compare_digest(_signature(name, end).encode(), signature.encode("utf-8", "replace"))
        and int(end, 16) > now.timestamp()
    )


def _signature(name: str, end: str) -> str:
    text = f"sandbox:{name}:{end}".encode("utf-8", "replace")
    return hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).hexdigest()
