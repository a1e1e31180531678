"""After the pilot's final word: outputs are registered once, then moved home.

`run` takes many holding jobs at once: the files of the finished ones enter the catalogue, their
datasets and the replica list of the storage that the pilot wrote to, and the jobs go on to
transferring when the files have to travel; failed ones keep their log and end. jobs/arrival.py has
what follows.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from functools import partial

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from datasets.models import SiteStorage
from jobs import errors, services
from jobs.booking import Held, book
from jobs.models import ERROR_COMPONENTS, Job
from jobs.states import JobState
from pandasite.base.errors import Conflict
from pandasite.base.nudge import nudge
from pandasite.base.rounds import PASSING, Round

log = logging.getLogger(__name__)
BATCH = 200  # jobs that are registered in one transaction


def run(now: dt.datetime) -> int:
    """Register the holding jobs; those that cannot be do not stop the others."""
    work = Round()
    for panda_ids in _holding(now):
        if work.over:
            if work.rows:  # it gets on: the next round need not wait for the timetable
                nudge("jobs.register")
            break
        _together(work, panda_ids, now)
    if work.rows:
        nudge("jobs.wake")
    return work.end()


def _holding(now: dt.datetime) -> Iterator[list[int]]:
    """PandaIDs of the jobs with a final word and somewhere to register it, by pages.

    Those that came after the round began have to wait: it would date their end before that.
    """
    at_site = SiteStorage.objects.filter(
        site=OuterRef("computing_site"), role=SiteStorage.Role.LOCAL
    )
    holding = Job.objects.filter(state=JobState.HOLDING, state_change_time__lte=now)
    holding = holding.exclude(verdict="")
    holding = holding.filter(Q(storage__isnull=False) | Exists(at_site))
    last = 0
    while page := list(
        holding.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        yield page
        last = page[-1]


def _together(work: Round, panda_ids: Sequence[int], now: dt.datetime) -> None:
    """All at once; where that does not go, each half, down to the one that is in the way."""
    if len(panda_ids) == 1:
        work.do(f"job {panda_ids[0]}", partial(register, panda_ids[0], now=now))
        return
    try:
        work.rows += register_all(panda_ids, now=now)
        return
    except (Conflict, DataError, IntegrityError) as error:
        log.info("by_halves", extra={"jobs": len(panda_ids), "error": str(error)})
    except OperationalError as error:
        if type(error.__cause__) not in PASSING:
            raise
    middle = len(panda_ids) // 2
    for half in (panda_ids[:middle], panda_ids[middle:]):
        if not work.over:
            _together(work, half, now)


def register(panda_id: int, *, now: dt.datetime) -> bool:
    """Register one job; False when it is not holding any more, or held up, or somebody else's."""
    try:
        return register_all([panda_id], now=now) == 1
    except (Conflict, DataError, IntegrityError) as error:
        # Somebody was faster with a name, or something is to be mended in one: the job waits, and
        # the watchdog has a limit.
        log.error("not_registered", extra={"panda_id": panda_id, "error": str(error)})
        return False


def register_all(panda_ids: Sequence[int], *, now: dt.datetime) -> int:
    """Register those of the jobs that are holding and nobody else's; how many they were.

    One transaction. Conflict, DataError, IntegrityError: one of them cannot be.
    """
    with transaction.atomic():
        held = _hold(panda_ids)
        if not held:
            return 0
        booked = book(held, now=now)
        failed = [one.job for one in held if one.job.verdict == "failed"]
        services.fail_as_reported(failed, actor="register", now=now)
        for panda_id, why in booked.refused.items():
            # e.g. an output name that already belongs to other content
            log.warning("not_registered", extra={"panda_id": panda_id, "error": why})
            taken = errors.OUTPUT_NOT_ADDED.said(why)
            services.fail(Job.objects.filter(pk=panda_id), taken, actor="register", now=now)
        for home, leaving in booked.leaving.items():
            services.all_must_move(
                leaving, JobState.TRANSFERRING, actor="register", now=now, reason={"to": home}
            )
        services.all_must_move(booked.at_home, JobState.FINISHED, actor="register", now=now)
    return len(held)


def _hold(panda_ids: Sequence[int]) -> list[Held]:
    """The jobs, locked, with the storage that their pilots wrote to."""
    codes = [f"{c}_error_{what}" for c in ERROR_COMPONENTS for what in ("code", "diag")]
    rows = (
        Job.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk__in=panda_ids, state=JobState.HOLDING)
        .select_related("destination_se", "vo")
        .only(
            "verdict", "state", "storage", "computing_site", "prod_source_label",
            "destination_se__name", "vo__name", *codes,
        )
        .order_by("pk")
    )  # fmt: skip
    jobs = list(rows)
    local = dict(
        SiteStorage.objects.filter(
            site__in={job.computing_site_id for job in jobs}, role=SiteStorage.Role.LOCAL
        ).values_list("site", "storage")
    )
    found = [(job, job.storage_id or local.get(job.computing_site_id or 0, 0)) for job in jobs]
    for job, here in found:
        if not here:  # something to mend at the site: the job waits
            log.error("not_registered", extra={"panda_id": job.pk, "error": "no local storage"})
    return [Held(job, here) for job, here in found if here]
