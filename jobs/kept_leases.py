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
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from jobs import dispatch, lease, quick, report
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
    """As `report.hear_all`, in the same steps: no job is held while another is waited for."""
    return report.in_steps(
        [word.report for word in words],
        beats=lambda places: _beats(caller, [words[place] for place in places], now),
        hear=lambda place: hear(caller=caller, word=words[place], now=now),
    )


def _beats(caller: Caller, words: Sequence[Word], now: dt.datetime | None) -> dict[int, Answer]:
    """Heartbeats together, each of another job; the answers by PandaID."""
    with transaction.atomic():
        pairs = zip(words, _held(caller, words), strict=True)
        mine = [(word, held) for word, held in pairs if held is not None]
        if not mine:
            return {}
        found = quick.beats(caller=caller, reports=_numbered(mine), now=now)
        _bind([(word, held) for word, held in mine if word.report.panda_id in found], now)
    return found


_HOLD = """
SELECT k.panda_id, k.attempt_nr, k.account_id, k.salt, k.pilot_id, k.node
FROM jobs_keptlease k JOIN unnest(%s::bigint[], %s::integer[]) AS wanted (panda_id, attempt_nr)
  USING (panda_id, attempt_nr)
ORDER BY k.panda_id, k.attempt_nr FOR UPDATE OF k
"""


def _held(caller: Caller, words: Sequence[Word]) -> list[Held | None]:
    """The lease of each word, None where it is another's; other calls on it wait for this one.

    The words are on different attempts.
    """
    wanted = sorted({word.key for word in words})
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [*map(list, zip(*wanted, strict=True))])
        found: dict[Key, Held] = {(row[0], row[1]): Held(*row[2:]) for row in cursor.fetchall()}
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
        held.pilot_id, held.node, held.named = word.pilot_id, word.node, True
    return held


def _not_there(caller: Caller, word: Word) -> NotThere:
    panda_id, attempt_nr = word.key
    return NotThere(f"this pilot has no attempt {attempt_nr} of a job {panda_id} at {caller.site}")


_NUMBERS = "SELECT job_id, attempt_nr, report_seq FROM jobs_pulse WHERE job_id = ANY (%s)"


def _numbered(words: Sequence[tuple[Word, Held]]) -> list[Report]:
    """The reports with their lease tokens, and each with the next number of its attempt."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, [[word.report.panda_id for word, _ in words]])
        heard = {(row[0], row[1]): int(row[2]) for row in cursor.fetchall()}
    said = []
    for word, held in words:
        seq = heard[word.key] + 1 if word.key in heard else ENDED
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
