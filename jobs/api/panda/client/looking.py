"""Jobs, and files of datasets, as PanDA's client gets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import QuerySet

from jobs.api.panda.call import Call
from jobs.api.panda.client.asking import own_task, person, yes
from jobs.api.panda.client.telling import date
from jobs.api.panda.fields import Said
from jobs.models import AnyJob, AnyJobFile, Job, JobFile, TaskDataset, TaskInput
from jobs.tasks_engine.states import PieceState, Stage

JOBS_MAX: Final = 1000
FILES_MAX: Final = 20_000
COMPONENTS: Final[Mapping[str, str]] = {
    "pilot": "pilot", "exe": "exe", "sup": "sup", "ddm": "ddm", "brokerage": "brokerage",
    "job_dispatcher": "jobDispatcher", "task_buffer": "taskBuffer",
}  # fmt: skip
UNSUCCESSFUL: Final = ("failed", "cancelled")
KINDS: Final = {"input": ("input", "secondary"), "output": ("output", "merged"), "lib": ("built",)}


def descriptions(call: Call) -> list[dict[str, Any] | None]:
    """Of jobs that have not left for the archive, in the order asked; null for others."""
    return _described(call, Job.objects.values_list("pk", flat=True))


def descriptions_of_all(call: Call) -> list[dict[str, Any] | None]:
    """The same with the archive."""
    return _described(call, None)


def _described(call: Call, among: QuerySet[Any, Any] | None) -> list[dict[str, Any] | None]:
    wanted = Said(call.values).numbers("job_ids", most=JOBS_MAX)
    user = person(call)
    jobs = AnyJob.objects.filter(pk__in=wanted)
    if not user.has_perm("jobs.kill_any_job"):
        jobs = jobs.filter(owner=user)
    if among is not None:
        jobs = jobs.filter(pk__in=list(among.filter(pk__in=wanted)))
    told = {job["PandaID"]: job for job in _told(jobs)}
    return [told.get(panda_id) for panda_id in wanted]


def descriptions_of_task(call: Call) -> list[dict[str, Any]]:
    """Of a task's jobs, newest first."""
    jobs = AnyJob.objects.filter(task=own_task(call)).order_by("-panda_id")
    if yes(call, "unsuccessful_only"):
        jobs = jobs.filter(state__in=UNSUCCESSFUL)
    return _told(jobs[:JOBS_MAX])


def _told(jobs: QuerySet[AnyJob]) -> list[dict[str, Any]]:
    rows = list(jobs.select_related("cloud", "computing_site", "vo"))
    files: dict[int, list[dict[str, Any]]] = {job.pk: [] for job in rows}
    for file in AnyJobFile.objects.filter(job__in=list(files)).select_related("dataset"):
        files[file.job_id].append(_file(file))
    return [_job(job) | {"Files": files[job.pk]} for job in rows]


def _job(job: AnyJob) -> dict[str, Any]:
    errors = {component: (code, diag) for component, code, diag in job.errors()}
    told: dict[str, Any] = {
        "PandaID": job.pk,
        "jobName": job.job_name,
        "jobStatus": job.state,
        "jediTaskID": job.task_id,
        "taskID": job.task_id,
        "attemptNr": job.attempt_nr,
        "maxAttempt": job.max_attempt,
        "prodSourceLabel": job.prod_source_label,
        "processingType": job.processing_type,
        "prodUserID": job.prod_user_id,
        "VO": job.vo.name,
        "cloud": job.cloud.name if job.cloud else None,
        "computingSite": job.computing_site.name if job.computing_site else None,
        "transformation": job.transformation,
        "jobParameters": job.job_parameters,
        "currentPriority": job.current_priority,
        "coreCount": job.core_count,
        "transExitCode": job.trans_exit_code,
        "cpuConsumptionTime": job.cpu_consumption_time,
        "maxRSS": job.max_rss_mb,
        "creationTime": date(job.creation_time),
        "startTime": date(job.start_time),
        "endTime": date(job.end_time),
        "modificationTime": date(job.modification_time),
    }
    for component, theirs in COMPONENTS.items():
        code, diag = errors.get(component, (0, ""))
        told |= {f"{theirs}ErrorCode": code, f"{theirs}ErrorDiag": diag}
    return told


def _file(file: AnyJobFile) -> dict[str, Any]:
    return {
        "type": "input" if file.type == JobFile.Type.INPUT else "output",
        "scope": file.scope,
        "lfn": file.lfn,
        "dataset": file.dataset.name if file.dataset else None,
        "status": file.status,
        "fsize": file.size,
    }


def datasets_and_files(call: Call) -> list[dict[str, Any]]:
    """What a task reads and makes; of its input the files with what became of them."""
    task = own_task(call)
    kinds = _kinds(call)
    uses = TaskDataset.objects.filter(task=task).select_related("dataset").order_by("role", "place")
    return [
        {
            "dataset": {"name": use.dataset.name, "id": use.dataset_id, "type": use.role},
            "files": [] if yes(call, "dataset_only") else _files_of(use),
        }
        for use in uses
        if not kinds or any(use.role in KINDS.get(kind, (kind,)) for kind in kinds)
    ]


def _kinds(call: Call) -> list[str]:
    value = call.values.get("dataset_types")
    if value in (None, "", "None"):
        return []
    return [str(one) for one in value] if isinstance(value, list) else str(value).split(",")


def _files_of(use: TaskDataset) -> list[dict[str, Any]]:
    if use.role != TaskDataset.Role.INPUT:
        return []
    rows = TaskInput.objects.filter(
        task=use.task_id, stage=Stage.WORK, file__memberships__dataset=use.dataset_id
    ).order_by("pk")
    names = ("file__scope", "file__lfn", "first_event", "n_events", "piece__state")
    return [
        {"scope": scope, "lfn": lfn, "startEvent": first, "nEvents": n, "status": _became(state)}
        for scope, lfn, first, n, state in rows.values_list(*names)[:FILES_MAX]
    ]


def _became(state: str | None) -> str:
    words = {
        PieceState.DONE: "finished", PieceState.FAILED: "failed", PieceState.DROPPED: "failed",
        PieceState.SUBMITTED: "running",
    }  # fmt: skip
    return words.get(PieceState(state), "ready") if state else "ready"
