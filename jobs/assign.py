"""Applying the choice: gather the facts once, ask the policy bunch by bunch, write in bulk.

A round:
1. takes defined jobs, highest priority first, and links the files they read;
2. cuts them into bunches of like jobs (at most 20 jobs or 20 files);
3. asks `brokerage.policy` for each bunch, with the facts of the round;
4. chosen: files that the site lacks go into one `_dis` dataset, subscribed to the site's storage
   (jobs that lack nothing are activated at once); not chosen: the jobs stay defined with the
   reasons; no site anywhere has the release: the jobs fail with brokerage 100.
`explain` does 1 to 3 for one job and writes nothing.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from brokerage.models import Site
from brokerage.policy import Choice, Needs, bunches, choose
from datasets import services as data
from datasets.models import Dataset, File, Replica, StorageElement
from datasets.states import DatasetState
from jobs import errors, services
from jobs.facts import Facts, gather
from jobs.labels import is_analysis
from jobs.models import BrokerageDecision, Job, JobFile
from jobs.states import JobState

ROUND = 2000  # jobs per round


def run(now: dt.datetime) -> int:
    """One round; returns how many jobs it moved."""
    jobs = _defined_jobs()
    if not jobs:
        return 0
    facts = gather(now)
    return sum(_place(bunch, facts, now) for bunch in _bunches(jobs, facts.limits.bunch_size))


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


def _defined_jobs() -> list[Job]:
    defined = Job.objects.filter(state=JobState.DEFINED).select_related(
        "vo", "cloud", "computing_site", "decision"
    )
    return list(defined.prefetch_related("files").order_by("-current_priority", "panda_id")[:ROUND])


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
    ids = [job.pk for job in bunch]
    detail = choice.as_json()
    if any(job.decision is None or job.decision.detail != detail for job in bunch):
        decision = _decide(choice, len(bunch), now)
        Job.objects.filter(pk__in=ids, state=JobState.DEFINED).update(decision=decision)
    if not choice.release_nowhere:
        return 0
    error = errors.NO_RELEASE.said(f"{bunch[0].atlas_release}: {choice.reason}")
    hopeless = Job.objects.filter(pk__in=ids)
    return len(
        services.fail(hopeless, error, actor="brokerage", now=now, only_from=[JobState.DEFINED])
    )


def _decide(choice: Choice, n_jobs: int, now: dt.datetime) -> BrokerageDecision:
    return BrokerageDecision.objects.create(
        at=now, site=choice.site or "", n_jobs=n_jobs, detail=choice.as_json()
    )


def _placed(
    bunch: list[Job], site: Site, storage: StorageElement | None, choice: Choice, now: dt.datetime
) -> int:
    """Write a choice: everything of the bunch in one transaction."""
    with transaction.atomic():
        # Only jobs that are still defined, and that nobody else is placing at this moment.
        free = set(
            Job.objects.filter(pk__in=[job.pk for job in bunch], state=JobState.DEFINED)
            .order_by("pk")
            .select_for_update(skip_locked=True)
            .values_list("pk", flat=True)
        )
        jobs = [job for job in bunch if job.pk in free]
        if not jobs:
            return 0
        decision = _decide(choice, len(jobs), now)
        missing = _missing(jobs, storage)
        lacking = [job.pk for job in jobs if _input_keys(job) & missing.keys()]
        ready = sorted(free - set(lacking))
        common: dict[str, Any] = {
            "site": site,
            "cloud": site.cloud,
            "decision": decision,
            "now": now,
        }
        _activate_at_once(services.assign(ready, JobState.ACTIVATED, **common))
        if lacking and storage is not None:
            block = _dispatch_block(jobs, lacking, missing, storage, now)
            services.assign(lacking, JobState.ASSIGNED, dispatch_block=block.name, **common)
    return len(jobs)


def _activate_at_once(panda_ids: Sequence[int]) -> None:
    JobFile.objects.filter(job__in=panda_ids, type=JobFile.Type.INPUT).update(
        status=JobFile.Status.READY
    )


def _missing(jobs: Sequence[Job], storage: StorageElement | None) -> dict[int, File]:
    """Input files of the jobs without a good replica at the storage element."""
    keys = set().union(*(_input_keys(job) for job in jobs))
    there = Replica.objects.filter(
        file=OuterRef("pk"), storage=storage, state=Replica.State.AVAILABLE
    )
    return {f.pk: f for f in File.objects.filter(pk__in=keys).filter(~Exists(there))}


def _dispatch_block(
    jobs: Sequence[Job],
    lacking: Sequence[int],
    missing: dict[int, File],
    storage: StorageElement,
    now: dt.datetime,
) -> Dataset:
    """The `_dis` dataset of the bunch: frozen at once, and subscribed to the site's storage."""
    first = next(job for job in jobs if job.pk == lacking[0])
    name = f"panda.{_datatype(first)}.{first.task_id or 0}.{uuid.uuid4()}_dis{first.pk}"
    block = data.new_dataset(name, type=Dataset.Type.DISPATCH, now=now, destination=storage)
    data.add_files(block, missing.values())
    data.set_dataset_state(block, DatasetState.FROZEN, now=now)
    JobFile.objects.filter(job__in=lacking, type=JobFile.Type.INPUT, file__in=list(missing)).update(
        block=block
    )
    data.subscribe(block, storage, activity=_activity(first), now=now)
    return block


def _datatype(job: Job) -> str:
    """The second-last field of the input dataset's name, when it is short enough to be one."""
    fields = job.prod_d_block.split(".")
    word = fields[-2] if len(fields) > 1 else ""
    return word if 0 < len(word) <= 10 else "Unknown"


def _activity(job: Job) -> str:
    return "analysis" if is_analysis(job.prod_source_label) else "production"
