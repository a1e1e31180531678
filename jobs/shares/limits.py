"""Reads what `words.py` makes sentences of: for a job, a user or a task, one row each."""

from __future__ import annotations

import datetime as dt

from django.db.models import Sum

from jobs import quotas
from jobs.labels import is_analysis
from jobs.models import AnyJob, LiveTally, PriorityLift, ShareTally
from jobs.quotas import Standing
from jobs.shares import facts
from jobs.shares.tree import leaf_of
from jobs.shares.words import LimitFacts, ShareFacts, sentences, waits_for


def of_job(job: AnyJob, *, now: dt.datetime) -> list[str]:
    """What limits a job that waits."""
    lift = PriorityLift.objects.filter(pk=job.pk, given=job.current_priority).first()
    found = _facts(
        user=job.prod_user_id,
        group=job.working_group,
        kind=job.processing_type,
        analysis=is_analysis(job.prod_source_label),
        now=now,
        given=(lift.given, lift.own) if lift and not lift.by_hand else None,
        by_hand=lift.given if lift and lift.by_hand else None,
    )
    return sentences(found)


def holds(job: AnyJob, *, now: dt.datetime) -> str:
    """Why no site is looked for at all: the sentence of a hard quota; empty when there is none."""
    return waits_for(_standings(job.prod_user_id, job.working_group, now))


def of_task(
    *, user: str, group: str, kind: str, analysis: bool = False, now: dt.datetime
) -> list[str]:
    """What limits the jobs of a task, by its user, working group and processing type."""
    return sentences(_facts(user=user, group=group, kind=kind, analysis=analysis, now=now))


def of_user(user: str, *, now: dt.datetime) -> list[str]:
    """What limits the analysis jobs of a user."""
    found = LimitFacts(
        standings=_standings(user, "", now), analysis=True, user=user, jobs=_jobs_of(user)
    )
    return sentences(found)


def _facts(
    *,
    user: str,
    group: str,
    kind: str,
    analysis: bool,
    now: dt.datetime,
    given: tuple[int, int] | None = None,
    by_hand: int | None = None,
) -> LimitFacts:
    root = facts.load()
    leaf = leaf_of(root, group, kind)
    tally = (
        ShareTally.objects.filter(share=leaf.id).first() if leaf is not None and leaf.id else None
    )
    return LimitFacts(
        standings=_standings(user, group, now),
        analysis=analysis,
        user=user,
        jobs=_jobs_of(user) if analysis else 0,
        share=ShareFacts(
            name=leaf.name, used=tally.used, target=tally.target, waiting=tally.waiting
        )
        if leaf is not None and tally is not None and root.children
        else None,
        in_a_share=leaf is not None,
        given=given,
        by_hand=by_hand,
    )


def _standings(user: str, group: str, now: dt.datetime) -> list[Standing]:
    names = [("user", user), *([("group", group)] if group else [])]
    return [*quotas.standings(now, names=names).values()]


def _jobs_of(user: str) -> int:
    n = LiveTally.objects.filter(user=user).aggregate(n=Sum("n"))["n"]
    return int(n or 0)
