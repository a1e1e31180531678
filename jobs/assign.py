"""Applying the choice: gather the facts once, ask the policy bunch by bunch, write in bulk.

A round:
1. takes defined jobs page by page, those first that were looked at least lately, then by priority:
   jobs that no site can take never stand in the way of those behind them;
2. cuts a page into bunches of like jobs (at most 20 jobs or 20 files);
3. asks `brokerage.policy` for each bunch, with the facts of the round;
4. chosen: files that the site lacks go into one `_dis` dataset, subscribed to the site's storage
   (jobs that lack nothing are activated at once); not chosen: the jobs stay defined with the
   reasons; no site anywhere has the release: the jobs fail with brokerage 100.
Each bunch is a transaction: one that the database refuses for a passing reason is logged, and the
others go on. `explain` does 3 for one job and writes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Prefetch, Q

from brokerage.models import Site
from brokerage.policy import Choice, Gist, Needs, bunches, choose
from datasets.models import StorageElement
from jobs import errors, services
from jobs.blocks import dispatch_block, missing_inputs
from jobs.facts import Facts, gather
from jobs.models import BrokerageDecision, Job, JobFile
from jobs.states import JobState
from pandasite.base.nudge import nudge
from pandasite.base.rounds import SECONDS, Round

PAGE = 2000  # jobs read at once
FILES = 20_000  # that those may read: each is an object while the page is worked on


def run(now: dt.datetime, *, seconds: float = SECONDS) -> int:
    """One round, which begins no other bunch after `seconds`; returns how many jobs it moved.

    Incomplete when another transaction was in the way of some bunch.
    """
    work, facts = Round(seconds=seconds), None
    for page in _pages(now):
        facts = facts or gather(now)
        for bunch in _bunches(page, facts.limits.bunch_size):
            if not work.do(_name(bunch), partial(_place_whole, bunch, facts, now)):
                _put_back(bunch, now)
            if work.over:
                if work.rows:  # it gets on: the next round need not wait for the timetable
                    nudge("jobs.assign")
                return work.end()
    return work.end()


def explain(needs: Needs, *, files: Sequence[int] = (), now: dt.datetime) -> Choice:
    """What brokerage would decide now for such a job; writes nothing.

    `files` are keys of the catalogue's files that the job reads.
    """
    facts = gather(now)
    return choose(
        needs=needs, offers=facts.holding(files), clouds=facts.clouds, limits=facts.limits
    )


def explain_job(job: Job, *, now: dt.datetime) -> Choice:
    """`explain` for a job that exists, as if it were defined now."""
    return explain(needs_of([job]), files=sorted(_input_keys(job)), now=now)


def _pages(now: dt.datetime) -> Iterator[list[Job]]:
    """Defined jobs that this round has not looked at."""
    seen: set[int] = set()  # a job that somebody else holds is not marked, and would come again
    while fresh := [panda_id for panda_id in _keys(now) if panda_id not in seen]:
        page = _page(fresh)
        yield page
        seen.update(job.pk for job in page)


def _keys(now: dt.datetime) -> list[int]:
    """PandaIDs whose turn it is. Jobs that came after the round began have to wait."""
    due = Job.objects.filter(
        Q(considered_at=None) | Q(considered_at__lt=now),
        state=JobState.DEFINED,
        state_change_time__lte=now,
    )
    longest_ago = F("considered_at").asc(nulls_first=True)
    in_turn = due.order_by(longest_ago, "-current_priority", "panda_id")
    return list(in_turn.values_list("pk", flat=True)[:PAGE])


def _page(panda_ids: Sequence[int]) -> list[Job]:
    """Those of the jobs, in this order, that together read so many files; one at least."""
    inputs = JobFile.objects.filter(type=JobFile.Type.INPUT)
    per_job = inputs.filter(job__in=panda_ids).values_list("job").annotate(n=Count("pk"))
    n_files = dict(per_job.order_by())
    read = accumulate(n_files.get(panda_id, 0) for panda_id in panda_ids)
    fit = max(1, sum(1 for total in read if total <= FILES))
    jobs = (
        Job.objects.defer("job_parameters")
        .select_related("vo", "cloud", "computing_site")
        .prefetch_related("decision", Prefetch("files", inputs))
        .in_bulk(panda_ids[:fit])
    )
    return [jobs[panda_id] for panda_id in panda_ids[:fit] if panda_id in jobs]


def _bunches(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    return bunches(
        jobs, key=_alike, files=lambda job: [str(k) for k in _input_keys(job)], size=size
    )


def _alike(job: Job) -> tuple[object, ...]:
    """Jobs with the same key may be placed together."""
    return (
        job.prod_d_block,
        job.task_id,
        job.cloud_id if job.cloud_fixed else None,
        job.computing_site_id if job.site_fixed else None,
        job.prod_source_label,
        job.processing_type,
        job.current_priority,
        job.vo_id,
        job.atlas_release,
        job.cmt_config,
        job.min_ram_count,
        job.max_disk_count,
        job.min_cpu_speed,
        job.core_count,
        job.max_cpu_count,
    )


def _inputs(job: Job) -> list[JobFile]:
    return [f for f in job.files.all() if f.type == JobFile.Type.INPUT]


def _input_keys(job: Job) -> set[int]:
    return {f.file_id for f in _inputs(job) if f.file_id is not None}


def needs_of(bunch: Sequence[Job]) -> Needs:
    """What a bunch of like jobs asks for: the first speaks for all, files are counted over all."""
    first = bunch[0]
    return Needs(
        label=first.prod_source_label,
        cloud=first.cloud.name if first.cloud and first.cloud_fixed else None,
        site=first.computing_site.name if first.computing_site and first.site_fixed else None,
        processing_type=first.processing_type,
        priority=first.current_priority,
        vo=first.vo.name,
        release=first.atlas_release,
        cmt_config=first.cmt_config,
        memory_mb=first.min_ram_count,
        disk_mb=first.max_disk_count,
        cpu_speed_mhz=first.min_cpu_speed,
        core_count=first.core_count,
        wall_seconds=first.max_cpu_count,
        n_jobs=len(bunch),
        input_files=max(len(_inputs(job)) for job in bunch),
        total_input_files=len(set().union(*(_input_keys(job) for job in bunch))),
    )


def _name(bunch: Sequence[Job]) -> str:
    return f"jobs {', '.join(str(job.pk) for job in bunch)}"


def _place_whole(bunch: list[Job], facts: Facts, now: dt.datetime) -> int:
    with transaction.atomic():
        return _place(bunch, facts, now)


def _put_back(bunch: Sequence[Job], now: dt.datetime) -> None:
    """Let a bunch that failed wait its turn; rows that are held are not waited for again."""
    with transaction.atomic():
        Job.objects.filter(pk__in=_hold(bunch)).update(considered_at=now)


def _place(bunch: list[Job], facts: Facts, now: dt.datetime) -> int:
    files = sorted(set().union(*(_input_keys(job) for job in bunch)))
    choice = choose(
        needs=needs_of(bunch),
        offers=facts.holding(files),
        clouds=facts.clouds,
        limits=facts.limits,
    )
    if choice.site is None:
        return _not_placed(bunch, choice, now)
    moved = _placed(bunch, facts.sites[choice.site], facts.storages.get(choice.site), choice, now)
    facts.took(choice.site, moved)
    return moved


def _not_placed(bunch: list[Job], choice: Choice, now: dt.datetime) -> int:
    waiting = Job.objects.filter(pk__in=_hold(bunch))
    changes: dict[str, Any] = {"considered_at": now}
    if any(job.decision is None or _gist(job.decision) != choice.gist for job in bunch):
        changes["decision"] = _decide(choice, len(bunch), now)
    waiting.update(**changes)
    if not choice.release_nowhere:
        return 0
    error = errors.NO_RELEASE.said(f"{bunch[0].atlas_release}: {choice.reason}")
    return len(services.fail(waiting, error, actor="brokerage", now=now))


def _gist(decision: BrokerageDecision) -> Gist:
    """What a decision comes down to: with each round its numbers change, which is no news."""
    return Choice.from_json(decision.detail).gist


def _hold(bunch: Sequence[Job]) -> list[int]:
    """PandaIDs of those that are still defined and that nobody else holds, locked."""
    defined = Job.objects.filter(pk__in=[job.pk for job in bunch], state=JobState.DEFINED)
    held = defined.order_by("pk").select_for_update(skip_locked=True, of=("self",))
    return list(held.values_list("pk", flat=True))


def _decide(choice: Choice, n_jobs: int, now: dt.datetime) -> BrokerageDecision:
    return BrokerageDecision.objects.create(
        at=now, site=choice.site or "", n_jobs=n_jobs, detail=choice.as_json()
    )


def _placed(
    bunch: list[Job], site: Site, storage: StorageElement | None, choice: Choice, now: dt.datetime
) -> int:
    """Write a choice for those jobs that nobody else is placing at this moment."""
    free = set(_hold(bunch))
    jobs = [job for job in bunch if job.pk in free]
    if not jobs:
        return 0
    decision = _decide(choice, len(jobs), now)
    missing = missing_inputs({key for job in jobs for key in _input_keys(job)}, storage)
    lacking = [job.pk for job in jobs if _input_keys(job) & missing.keys()]
    ready = sorted(free - set(lacking))
    common: dict[str, Any] = {"site": site, "cloud": site.cloud, "decision": decision, "now": now}
    services.assign(ready, JobState.ACTIVATED, **common)
    if lacking and storage is not None:
        block = dispatch_block(jobs, lacking, missing, storage, now)
        services.assign(lacking, JobState.ASSIGNED, dispatch_block=block.name, **common)
    _mark_ready(jobs, missing)
    return len(jobs)


def _mark_ready(jobs: Sequence[Job], missing: Collection[int]) -> None:
    """Input that the site has is ready at once, also of a job that waits for other files."""
    there = [f.pk for job in jobs for f in _inputs(job) if f.file_id not in missing]
    JobFile.objects.filter(pk__in=there).update(status=JobFile.Status.READY)
