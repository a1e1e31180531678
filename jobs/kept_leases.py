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
from dataclasses import replace

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from jobs import dispatch, lease, report
from jobs.dispatch import Claimed, Facts
from jobs.identity import Caller
from jobs.models import Job, KeptLease, Pulse
from jobs.said import Answer, Report
from pandasite.base.errors import NotThere

ENDED = 0  # the number of a word that comes when no pilot holds the job: it is a repeat, or refused


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


def hear(
    *, caller: Caller, report_of: Report, pilot_id: str, node: str, now: dt.datetime | None = None
) -> Answer:
    """As `report.hear`, of a report that lacks `lease_token` and `seq`.

    NotThere, in the same words, for an attempt that is not the caller's and for one that is not.
    Words on one attempt are heard one after the other.
    """
    with transaction.atomic():
        kept = _mine(caller, report_of, pilot_id, node)
        _bind(kept, pilot_id, node, now)
        said = replace(report_of, lease_token=lease.token(kept.salt), seq=_next_number(kept))
        return report.hear(caller=caller, report=said, now=now)


def _mine(caller: Caller, said: Report, pilot_id: str, node: str) -> KeptLease:
    rows = KeptLease.objects.filter(panda_id=said.panda_id, attempt_nr=said.attempt_nr)
    kept = rows.select_for_update().first()
    if (
        kept is None
        or kept.account_id != caller.account_id
        or kept.pilot_id not in ("", pilot_id)
        or kept.node not in ("", node)
    ):
        raise NotThere(
            f"this pilot has no attempt {said.attempt_nr} of a job {said.panda_id} at {caller.site}"
        )
    return kept


def _bind(kept: KeptLease, pilot_id: str, node: str, now: dt.datetime | None) -> None:
    if (kept.pilot_id, kept.node) == (pilot_id, node):
        return
    KeptLease.objects.filter(pk=kept.pk).update(
        pilot_id=pilot_id, node=node, bound_at=kept.bound_at or now or Now()
    )


def _next_number(kept: KeptLease) -> int:
    held = Pulse.objects.filter(pk=kept.panda_id, attempt_nr=kept.attempt_nr)
    heard = held.values_list("report_seq", flat=True).first()
    return ENDED if heard is None else heard + 1


def served(*, before: dt.datetime) -> QuerySet[KeptLease]:
    """Those given out before then whose job is not among the live ones any more."""
    live = Job.objects.filter(pk=OuterRef("panda_id"))
    return KeptLease.objects.filter(~Exists(live), created_at__lt=before)
