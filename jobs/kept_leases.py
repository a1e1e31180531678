"""Claim and report for pilots that know of no lease: the server keeps it for them.

A pilot of PanDA's own wire says its PandaID, attemptNr, pilotID and node. The claim keeps the salt
of each lease it gave; a word is heard under the lease of its attempt, and so by the same rules as
any other: one of an old attempt is refused with the command to end the payload. The first word that
names a pilotID or a node binds the attempt to it, and from then on each word has to name the same.

docs/panda-compatibility.md says what may overlap all the same.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from jobs import dispatch, lease, report
from jobs.dispatch import Claimed, Facts
from jobs.identity import Caller
from jobs.models import Job, KeptLease
from jobs.said import Answer, Report
from pandasite.base.errors import DomainError, NotThere

ENDED = 0  # the number of a word that comes when no pilot holds the job: it is a repeat, or refused
Key = tuple[int, int]  # PandaID, attemptNr


@dataclass(frozen=True, kw_only=True)
class Word:
    """A report that lacks `lease_token` and `seq`, and whose it is."""

    report: Report
    pilot_id: str
    node: str

    @property
    def key(self) -> Key:
        """The attempt that it is on."""
        return self.report.panda_id, self.report.attempt_nr


@dataclass
class Held:
    """A kept lease, locked; `named`: this call has bound it to what its words name."""

    account_id: int
    salt: str
    pilot_id: str
    node: str
    named: bool = False


def claim(
    *, caller: Caller, facts: Facts, n_jobs: int = 1, now: dt.datetime | None = None
) -> Claimed:
    """As `dispatch.claim`, of a pilot that has no key: an answer that is lost is lost."""
    salt = lease.new_salt()
    with transaction.atomic():
        claimed = dispatch.claim(
            caller=caller,
            facts=facts,
            key=uuid.uuid4().hex,
            body_sha256="",
            n_jobs=n_jobs,
            salt=salt,
            now=now,
        )
        KeptLease.objects.bulk_create(
            KeptLease(
                panda_id=job["panda_id"],
                attempt_nr=job["attempt_nr"],
                account_id=caller.account_id,
                salt=dispatch.salt_of(salt, job["nr"] - 1),
                created_at=now or Now(),
            )
            for job in claimed.jobs
        )
    return claimed


def hear(*, caller: Caller, word: Word, now: dt.datetime | None = None) -> Answer:
    """As `report.hear`.

    NotThere, in the same words, for an attempt that is not the caller's and one that is not there.
    """
    with transaction.atomic():
        (held,) = _held(caller, [word])
        if held is None:
            raise _not_there(caller, word)
        (said,) = _numbered([(word, held)])
        answer = report.hear(caller=caller, report=said, now=now)
        _bind([(word, held)], now)
    return answer


def hear_all(
    *, caller: Caller, words: Sequence[Word], now: dt.datetime | None = None
) -> list[Answer | DomainError]:
    """As `report.hear_all`; when the database goes away meanwhile, nothing was heard."""
    with transaction.atomic():
        held = _held(caller, words)
        mine = [(word, one) for word, one in zip(words, held, strict=True) if one is not None]
        found = report.hear_all(caller=caller, reports=_numbered(mine), now=now)
        pairs = zip(mine, found, strict=True)
        _bind([pair for pair, answer in pairs if isinstance(answer, Answer)], now)
    answers = iter(found)
    return [
        _not_there(caller, word) if one is None else next(answers)
        for word, one in zip(words, held, strict=True)
    ]


_HOLD = """
SELECT k.panda_id, k.attempt_nr, k.account_id, k.salt, k.pilot_id, k.node
FROM jobs_keptlease k JOIN unnest(%s::bigint[], %s::integer[]) AS wanted (panda_id, attempt_nr)
  USING (panda_id, attempt_nr)
ORDER BY k.panda_id, k.attempt_nr FOR UPDATE OF k
"""


def _held(caller: Caller, words: Sequence[Word]) -> list[Held | None]:
    """The lease of each word, None where it is another's; words on it wait for each other."""
    wanted = sorted({word.key for word in words})
    found: dict[Key, Held] = {}
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, [*map(list, zip(*wanted, strict=True))])
            found = {(row[0], row[1]): Held(*row[2:]) for row in cursor.fetchall()}
    return [_if_of(caller, word, found.get(word.key)) for word in words]


def _if_of(caller: Caller, word: Word, held: Held | None) -> Held | None:
    if (
        held is None
        or held.account_id != caller.account_id
        or held.pilot_id not in ("", word.pilot_id)
        or held.node not in ("", word.node)
    ):
        return None
    if (held.pilot_id, held.node) != (word.pilot_id, word.node):
        # A later word of the same call is held to it as well.
        held.pilot_id, held.node, held.named = word.pilot_id, word.node, True
    return held


def _not_there(caller: Caller, word: Word) -> NotThere:
    panda_id, attempt_nr = word.key
    return NotThere(f"this pilot has no attempt {attempt_nr} of a job {panda_id} at {caller.site}")


_NUMBERS = "SELECT job_id, attempt_nr, report_seq FROM jobs_pulse WHERE job_id = ANY (%s)"


def _numbered(words: Sequence[tuple[Word, Held]]) -> list[Report]:
    """The reports with their lease tokens, and with numbers that count up in each attempt."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, [[word.report.panda_id for word, _ in words]])
        heard = {(row[0], row[1]): int(row[2]) for row in cursor.fetchall()}
    numbers = Counter(heard)
    said = []
    for word, held in words:
        numbers[word.key] += 1
        seq = numbers[word.key] if word.key in heard else ENDED
        said.append(replace(word.report, lease_token=lease.token(held.salt), seq=seq))
    return said


_BIND = """
UPDATE jobs_keptlease k SET pilot_id = said.pilot_id, node = said.node,
  bound_at = coalesce(k.bound_at, %s, now())
FROM unnest(%s::bigint[], %s::integer[], %s::text[], %s::text[])
  AS said (panda_id, attempt_nr, pilot_id, node)
WHERE k.panda_id = said.panda_id AND k.attempt_nr = said.attempt_nr
  AND (k.pilot_id, k.node) <> (said.pilot_id, said.node)
"""


def _bind(words: Sequence[tuple[Word, Held]], now: dt.datetime | None) -> None:
    """What the words name is theirs from now on."""
    columns = [(*word.key, held.pilot_id, held.node) for word, held in words if held.named]
    if columns:
        with connection.cursor() as cursor:
            cursor.execute(_BIND, [now, *map(list, zip(*columns, strict=True))])


def served(*, before: dt.datetime) -> QuerySet[KeptLease]:
    """Those given out before then whose job is not among the live ones any more."""
    live = Job.objects.filter(pk=OuterRef("panda_id"))
    return KeptLease.objects.filter(~Exists(live), created_at__lt=before)
