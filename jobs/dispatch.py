"""What a pilot may ask for: a job, or some. It knows no HTTP.

The decision is one stored function, `jobs/sql/claims.sql`: one round trip, one transaction, for one
claim or for all that wait in a process. It 1. looks whether the token that the caller was known by
is still good; 2. holds the idempotency key, or answers again with the jobs that it was given (a key
that was given none leaves no row: ten thousand idle pilots ask every minute); 3. says no when the
site or the node is shut, or the site is in an outage, or has as many jobs with pilots as it may;
4. hands over the best activated jobs of the site that fit every fact the pilot gave, each under a
lease of its own; 5. notes the pilot's contact.

Here its arguments are made and its outcomes put into words.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db import connection

from jobs import lease, many_claims
from jobs.identity import Caller, TokenGone
from jobs.many_claims import Answer, Values, array
from jobs.states import LEASED
from pandasite.base.errors import Conflict, Unprocessable

N_JOBS_MAX = 100  # of one claim


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
    asked = question(
        caller=caller, facts=facts, key=key, body_sha256=body_sha256, n_jobs=n_jobs, salt=salt
    )
    if now is not None or not may_be_together(n_jobs):
        answer = many_claims.answers(connection, [asked], now=now)[0]
    else:
        answer = CLAIMS.ask(asked)
    return told(answer, asked, site=caller.site)


def claim_later(
    then: Callable[[Callable[[], Claimed]], object],
    *,
    caller: Caller,
    facts: Facts,
    key: str,
    body_sha256: str,
) -> None:
    """As `claim`, for one job, without waiting: `then` is called with what `claim` would do."""
    asked = question(caller=caller, facts=facts, key=key, body_sha256=body_sha256, n_jobs=1)

    def tell(answer: Future[Answer]) -> None:
        then(lambda: told(answer.result(), asked, site=caller.site))

    CLAIMS.later(asked).add_done_callback(tell)


def may_be_together(n_jobs: int) -> bool:
    """Whether a claim may be asked with others: what takes long, or is part of more, may not."""
    return n_jobs == 1 and not connection.in_atomic_block


def question(
    *,
    caller: Caller,
    facts: Facts,
    key: str,
    body_sha256: str,
    n_jobs: int,
    salt: str | None = None,
) -> Values:
    """A claim as the database is asked for it, maybe with others."""
    salt = salt or lease.new_salt()
    leases = [lease.fingerprint(_token(salt, nr)) for nr in range(n_jobs)]
    return vars(facts) | {
        "token": caller.token,
        "account": caller.account_id,
        "site": caller.site_id,
        "labels": array(facts.labels),
        "releases": _releases(tuple(facts.releases)),
        "sent_at": facts.sent_at and facts.sent_at.isoformat(),
        "key": key,
        "body": body_sha256,
        "n_jobs": n_jobs,
        "salt": salt,
        "leases": array(leases),
    }


def told(answer: Answer, asked: Values, *, site: str) -> Claimed:
    """What the database has answered, in words. Raises as `claim`."""
    outcome = answer["outcome"]
    if outcome == "jobs":
        return Claimed(jobs=tuple(_leased(answer["jobs"], asked["salt"])))
    if outcome == "again":
        return _again(answer)
    if outcome in _REFUSALS:
        raise _REFUSALS[outcome](asked["key"])
    return _none(outcome, _NO[outcome].format(site=site, text=answer["text"], node=asked["node"]))


CLAIMS = many_claims.together()


@lru_cache(maxsize=1024)  # the nodes of a site have the same ones
def _releases(releases: tuple[tuple[str, str], ...]) -> str:
    return array(release_keys(releases))


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
    for numbers, texts, files, *_ in sorted(told, key=_place):  # it comes in any order
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


def _again(answer: Answer) -> Claimed:
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
