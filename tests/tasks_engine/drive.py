"""Driving tasks in tests: rounds of the engine, and jobs that end."""

from __future__ import annotations

from collections.abc import Iterable

from datasets import registry
from datasets.models import StorageElement
from datasets.registry import NewFile
from jobs import errors, services
from jobs.models import Job, JobFile, Task
from jobs.states import LIVE, JobState
from jobs.tasks_engine import engine, recount
from tests.builders import ADLER32, GUID, NOW, create_site, create_storage, create_user
from tests.tasks_engine.requests import registered

ROUNDS = 20


def task_of(request: dict, owner: str = "alice") -> Task:
    """A task that was registered, and carried as far as the engine can carry it alone."""
    create_user(owner)
    task = registered(request, owner)
    rounds()
    return now_of(task)


def rounds(n: int = 2) -> None:
    for _ in range(n):
        engine.run(NOW)


def now_of(task: Task) -> Task:
    return Task.objects.get(pk=task.pk)


def live_jobs(task: Task) -> list[Job]:
    return list(Job.objects.filter(task=task, state__in=LIVE).order_by("pk"))


def finish_jobs(jobs: Iterable[Job], *, rss: int = 800, cpu: int = 50, size: int = 10**7) -> None:
    """Let jobs run to their end: their outputs are registered, in their datasets."""
    site = create_site(with_storage=False)
    se = StorageElement.objects.first() or create_storage()
    for job in jobs:
        rows = Job.objects.filter(pk=job.pk)
        if job.state == JobState.WAITING:
            rows.update(state=JobState.DEFINED)
        if job.state in (JobState.WAITING, JobState.DEFINED):
            rows.update(state=JobState.ACTIVATED, computing_site=site)
            rows.update(state=JobState.SENT, lease_until=NOW, lease_sha256="x")
        rows.update(state=JobState.HOLDING, lease_until=None, verdict="finished")
        _register(job, se, size=size)
        rows.update(state=JobState.FINISHED, end_time=NOW, max_rss_mb=rss, cpu_consumption_time=cpu)


def _register(job: Job, se: StorageElement, *, size: int) -> None:
    outputs = list(JobFile.objects.filter(job=job, type="output").order_by("pk"))
    new = [NewFile(f.scope, f.lfn, GUID, size, ADLER32, 10) for f in outputs]
    keys = registry.enter(new, now=NOW)
    registry.add_members((f.dataset_id, keys[f.scope, f.lfn]) for f in outputs)
    registry.add_replicas(((key, se.pk) for key in keys.values()), now=NOW)
    JobFile.objects.filter(pk__in=[f.pk for f in outputs]).update(status="ready", size=size)


def fail_jobs(jobs: Iterable[Job]) -> None:
    """Let jobs fail in their queue; they have a successor as long as attempts are left."""
    for job in jobs:
        some = Job.objects.filter(pk=job.pk)
        services.fail(some, errors.LOST_HEARTBEAT, actor="tests", now=NOW)


def fail_for_good(task: Task) -> None:
    """Let all jobs of a task fail until none has a successor."""
    for _ in range(ROUNDS):
        jobs = live_jobs(task)
        if not jobs:
            return
        fail_jobs(jobs)
    raise AssertionError("its jobs have successors for ever")


def run_to_end(*tasks: Task) -> None:
    """Let all jobs finish, round after round, until the tasks have ended."""
    for _ in range(ROUNDS):
        rounds(1)
        for task in tasks:
            finish_jobs(live_jobs(task))
        if all(now_of(task).ended_at for task in tasks):
            assert recount.differences() == []
            return
    raise AssertionError([now_of(task).state for task in tasks])
