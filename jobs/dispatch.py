"""What a pilot may ask for: a job, or some. It knows no HTTP.

The decision is one stored function, `jobs/sql/claim.sql`: one round trip, one transaction. It
1. looks whether the token that the caller was known by is still good; 2. holds the idempotency
key, or answers again with the jobs that it was given (a key that was given none leaves no row: ten
thousand idle pilots ask every minute); 3. says no when the site or the node is shut, or the site
is in an outage, or has as many jobs with pilots as it may; 4. hands over the best activated jobs of
the site that fit every fact the pilot gave, each under a lease of its own; 5. notes the pilot's
contact.

Here its arguments are made and its outcomes put into words.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from brokerage.policy import Limits
from jobs import lease, many_claims
from jobs.identity import Caller, TokenGone
from jobs.skew import NOTED
from jobs.states import LEASED
from pandasite.base.errors import Conflict, Unprocessable

N_JOBS_MAX = 100  # of one claim
_WORDS = Limits()  # which labels and processing types are which, as brokerage has it


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the pilot says of itself. CPU speed in MHz, memory and disk in MB."""

    node: str
    pilot_id: str
    factory: str = ""
    cpu_speed_mhz: int = 0
    memory_mb: int = 0
    free_disk_mb: int = 0
    core_count: int = 1
    releases: tuple[tuple[str, str], ...] = ()  # (AtlasRelease, cmtConfig)
    labels: tuple[str, ...] = ()
    sent_at: dt.datetime | None = None  # the pilot's clock


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """The jobs of a claim, or none with the reason and when to ask again (s).

    A job is a dict of its columns by name, with `vo`, `storage` (name and url, or None), `files`
    (inputs and outputs) and the `lease_token`.
    """

    jobs: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    message: str = ""
    retry_after: int = 0
    replayed: bool = False


def claim(
    *,
    caller: Caller,
    facts: Facts,
    key: str,
    body_sha256: str,
    n_jobs: int = 1,
    salt: str | None = None,
    now: dt.datetime | None = None,
) -> Claimed:
    """Up to `n_jobs` jobs for this pilot, or the reason why there is none.

    `now` is the database's clock unless it is given; `salt` is that of the leases for who keeps it
    (jobs/kept_leases.py). Raises TokenGone, Conflict (`in_flight`) or Unprocessable (`key_reused`).
    """
    salt = salt or lease.new_salt()
    leases = [lease.fingerprint(_token(salt, nr)) for nr in range(n_jobs)]
    answer = _ask(caller, facts, (key, body_sha256, n_jobs, salt, leases), now)
    outcome = answer["outcome"]
    if outcome == "jobs":
        return Claimed(jobs=tuple(_leased(answer["jobs"], salt)))
    if outcome == "again":
        return _again(answer)
    if outcome in _REFUSALS:
        raise _REFUSALS[outcome](key)
    return _none(
        outcome, _NO[outcome].format(site=caller.site, text=answer["text"], node=facts.node)
    )


# What is said in FROM comes first: see jobs/sql/claims.sql.
_CLAIM = """
SELECT jobs_claim(%(token)s, %(account)s, %(site)s, %(key)s, %(body)s, %(pilot_id)s, %(node)s,
  %(factory)s, %(cpu_speed_mhz)s, %(memory_mb)s, %(free_disk_mb)s, %(core_count)s,
  %(releases)s::text[], %(labels)s::text[], %(install)s::text[], %(reprocessing)s::text[],
  %(n_jobs)s, %(salt)s, %(leases)s::text[], %(sent_seconds)s, %(sent_at)s, %(noted)s, %(now)s)
FROM (SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended(%(key)s, %(account)s))
  THEN pg_advisory_xact_lock(jobs_turn(%(site)s, %(pilot_id)s)) END) AS turn
"""


def _ask(
    caller: Caller,
    facts: Facts,
    request: tuple[str, str, int, str, list[str]],
    now: dt.datetime | None,
) -> dict[str, Any]:
    key, body, n_jobs, salt, leases = request
    values = vars(facts) | {
        "token": caller.token,
        "account": caller.account_id,
        "site": caller.site_id,
        "labels": _array(facts.labels),
        "releases": _releases(tuple(facts.releases)),
        "install": _INSTALL,
        "reprocessing": _REPROCESSING,
        "sent_seconds": settings.PANDASITE["SENT_SECONDS"],
        "noted": NOTED,
        "now": now,
        "key": key,
        "body": body,
        "n_jobs": n_jobs,
        "salt": salt,
        "leases": _array(leases),
    }
    # What takes long, or is part of something larger, keeps no others waiting.
    apart = n_jobs > 1 or connection.in_atomic_block
    answer = _one(connection, values) if apart else CLAIMS.ask(values)
    return answer if isinstance(answer, dict) else dict(json.loads(answer))


def _one(line: BaseDatabaseWrapper, values: Mapping[str, Any]) -> Any:
    with line.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        return cursor.fetchone()[0]


CLAIMS = many_claims.together(_one)


def _array(texts: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array of them: the driver takes ten times longer."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join([f'"{text}"' for text in escaped]) + "}"


@lru_cache(maxsize=1024)  # the nodes of a site have the same ones
def _releases(releases: tuple[tuple[str, str], ...]) -> str:
    return _array(release_keys(releases))


_INSTALL = _array(sorted(_WORDS.install_labels))
_REPROCESSING = _array(sorted(_WORDS.reprocessing_types))


def salt_of(salt: str, nr: int) -> str:
    """The salt of the job with this place (from 0) in the answer."""
    return f"{salt}.{nr}" if nr else salt


def _token(salt: str, nr: int) -> str:
    return lease.token(salt_of(salt, nr))


# What a job is told as, in the order of jobs/sql/claim.sql.
_NUMBERS = (
    "nr", "panda_id", "attempt_nr", "job_definition_id", "task_id", "core_count", "min_ram_count",
    "max_disk_count", "max_cpu_count",
)  # fmt: skip
_TEXTS = (
    "state", "lease_sha256", "job_name", "prod_source_label", "processing_type", "transformation",
    "job_parameters", "atlas_release", "homepackage", "cmt_config", "prod_user_id", "working_group",
    "vo",
)  # fmt: skip


def _leased(told: Iterable[list[Any]], salt: str) -> Iterable[dict[str, Any]]:
    for numbers, texts, files in sorted(told, key=_place):  # it comes in any order
        *plain, name, url = texts
        yield {
            **dict(zip(_NUMBERS, numbers, strict=True)),
            **dict(zip(_TEXTS, plain, strict=True)),
            "storage": None if name is None else {"name": name, "url": url},
            "files": sorted(files or (), key=itemgetter("nr")),
            "lease_token": _token(salt, numbers[0] - 1),
        }


def _place(told: list[Any]) -> int:
    return int(told[0][0])


def _again(answer: dict[str, Any]) -> Claimed:
    """The same jobs as the first time, but for those whose lease is over."""
    attempts = answer["attempts"]
    held = tuple(
        job
        for job in _leased(answer["jobs"] or (), answer["salt"])  # none: all are in the archive
        if job["attempt_nr"] == attempts[job["nr"] - 1]
        and job["state"] in LEASED
        and lease.matches(job["lease_token"], job["lease_sha256"])
    )
    if not held:
        return _none("claim_expired", "the job of this key has moved on: ask with a new key")
    return Claimed(jobs=held, replayed=True)


_REFUSALS: dict[str, Any] = {
    "token_gone": lambda _key: TokenGone(),
    "in_flight": lambda _key: Conflict(
        "a request with this idempotency key is being answered", code="in_flight", retry_after=1
    ),
    "key_reused": lambda key: Unprocessable(
        f"the idempotency key {key} was used for another claim", code="key_reused"
    ),
}
_NO = {
    "no_job": "nothing is activated at {site} that fits this pilot",
    "site_offline": "{site} is offline: {text}",
    "site_downtime": "{site} is in downtime {text}",
    "site_full": "{site} has as many jobs with pilots as it may have: {text}",
    "node_banned": "{node} is banned: {text}",
}


def _none(reason: str, message: str) -> Claimed:
    # Jitter, so that a thousand idle pilots do not come back in the same second.
    pause = settings.PANDASITE["RETRY_AFTER_SECONDS"]
    wait = max(1, round(pause * random.uniform(0.8, 1.2)))
    return Claimed(reason=reason, message=message.removesuffix(": "), retry_after=wait)


def release_keys(releases: Iterable[tuple[str, str]]) -> list[str]:
    """All `AtlasRelease|cmtConfig` that a node with these releases can serve.

    A job may leave the platform open, or both; an empty job key fits every node.
    """
    keys = {"|"}
    for release, cmt_config in releases:
        keys |= {f"{release}|{cmt_config}", f"{release}|", f"|{cmt_config}"}
    return sorted(keys)
