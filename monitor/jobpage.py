"""The job page: what a job is doing in one sentence, its states over time, decision and files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Prefetch

from brokerage.policy import Choice
from datasets.models import Replica, Transfer
from datasets.storage import path_of
from jobs import debug, samples
from jobs.api.listing import job_json
from jobs.models import AnyJob, AnyJobEvent, AnyJobFile, AnyJobOutput, DebugMode
from jobs.pulse import overlaid
from jobs.states import FINAL, QUEUED
from monitor import script
from monitor.chain import Link, chain_of
from monitor.jobcolumns import Error, errors_of
from monitor.joblist import job_facts
from monitor.logs import LogLink
from monitor.story import story
from monitor.timeline import Attempt, Bar, attempts, bars
from monitor.words import plural, span
from pandasite.base.errors import NotThere

FILES_SHOWN = 500
EVENTS_SHOWN = 500


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """A file of the job: what the catalogue says of it, else what its pilot has said."""

    file: AnyJobFile
    guid: str
    size: int | None
    adler32: str
    replicas: Sequence[Replica]
    moves: Sequence[Transfer]  # those that have not arrived, latest first

    @classmethod
    def of(cls, file: AnyJobFile) -> FileRow:
        """From a row of the job and its prefetched relations."""
        known = file.file
        return cls(
            file=file,
            guid=file.guid or (known.guid if known else ""),
            size=file.size if file.size is not None or known is None else known.size,
            adler32=file.adler32 or (known.adler32 if known else ""),
            replicas=[*known.replicas.all()] if known else (),
            moves=[t for t in known.transfers.all() if t.state != "done"][:3] if known else (),
        )


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """Everything on the page of one job."""

    job: AnyJob
    now: dt.datetime
    story: str
    events: Sequence[AnyJobEvent]
    bars: Sequence[Bar]
    attempts: Sequence[Attempt]
    files: Sequence[FileRow]
    errors: Sequence[Error]
    choice: Choice | None
    output: AnyJobOutput | None
    successor: int | None
    logs: Sequence[LogLink] = field(default_factory=tuple)
    chain: Sequence[Link] = field(default_factory=tuple)
    sampled: bool = False  # whether there are samples to draw
    debug: DebugMode | None = None

    @property
    def needs(self) -> str:
        return needs_words(self.job)

    @property
    def used(self) -> str:
        return used_words(self.job)

    @property
    def waits(self) -> bool:
        """Whether there is something to say of why it does not run."""
        return self.job.state in QUEUED

    def as_json(self) -> dict[str, Any]:
        """The REST API's facts of the job, and what the page adds."""
        output = self.output
        return job_json(self.job) | {
            "errors": job_facts(self.job)["errors"],
            "story": self.story,
            "successor": self.successor,
            "tries": [link.as_json() for link in self.chain],
            "attempts": [attempt.as_json() for attempt in self.attempts],
            "replicas": {
                f"{row.file.scope}:{row.file.lfn}": [_replica(replica) for replica in row.replicas]
                for row in self.files
            },
            "debug": bool(self.debug and self.debug.on),
            "stdout_tail": output.tail if output else None,
            "stdout_attempt": output.attempt_nr if output else None,
            "logs": [{"name": log.name, "size": log.size, "url": log.url} for log in self.logs],
        }


def _replica(replica: Replica) -> dict[str, str]:
    return {"storage": replica.storage.name, "state": replica.state, "reason": replica.reason}


def read(panda_id: int, *, now: dt.datetime) -> JobPage:
    """The job with all that belongs to it; NotThere when there is none."""
    job = job_of(panda_id)
    events = list(job.events.order_by("seq")[:EVENTS_SHOWN])
    files = files_of(job)
    choice = Choice.from_json(job.decision.detail) if job.decision else None
    chain = chain_of(job)
    return JobPage(
        job=job,
        now=now,
        story=story(job, files=files, events=events, choice=choice, now=now),
        events=events,
        bars=bars(events, now=now, final=job.state in FINAL),
        attempts=attempts(events),
        files=[FileRow.of(file) for file in files],
        errors=errors_of(job),
        choice=choice,
        output=job.output,
        successor=next((link.job.pk for link in chain if link.job.retry_of == job.pk), None),
        chain=chain,
        debug=None if job.is_final else debug.mode_of(job.pk),
        sampled=job.attempt_nr > 0 and samples.has_any(job.pk),
        logs=[LogLink.of(f) for f in files if f.type == AnyJobFile.Type.LOG and f.file_id],
    )


def job_of(panda_id: int) -> AnyJob:
    """The job as its pilot knows it; NotThere when there is none."""
    related = ("cloud", "computing_site", "vo", "task", "destination_se", "decision")
    job = AnyJob.objects.select_related(*related).known(panda_id).first()
    if job is None:
        raise NotThere(f"there is no job {panda_id}")
    overlaid([job])
    return job


def script_facts(panda_id: int) -> script.Facts:
    """What of a job is needed to run it by hand; NotThere when there is none."""
    job = job_of(panda_id)
    files = files_of(job)
    return script.Facts(
        panda_id=job.pk,
        attempt_nr=job.attempt_nr,
        state=job.state,
        site=job.computing_site.name if job.computing_site else "",
        release=job.atlas_release,
        platform=job.cmt_config,
        transformation=job.transformation,
        parameters=job.job_parameters,
        cores=job.core_count,
        inputs=[_input(FileRow.of(f)) for f in files if f.type == AnyJobFile.Type.INPUT],
        outputs=[f.lfn for f in files if f.type == AnyJobFile.Type.OUTPUT],
    )


def _input(row: FileRow) -> script.Input:
    good = [replica for replica in row.replicas if replica.state == Replica.State.AVAILABLE]
    below = path_of(row.file.scope, row.file.lfn)
    url = f"{good[0].storage.url.rstrip('/')}/{below}" if good else None
    return script.Input(lfn=row.file.lfn, url=url, adler32=row.adler32, size=row.size)


def files_of(job: AnyJob) -> list[AnyJobFile]:
    """Files with datasets, replicas and the transfers that bring them, inputs first."""
    replicas = Replica.objects.select_related("storage").order_by("storage__name")
    moves = Transfer.objects.select_related("destination", "source").order_by("-pk")
    return list(
        job.files.select_related("dataset", "block", "file")
        .prefetch_related(Prefetch("file__replicas", replicas), Prefetch("file__transfers", moves))
        .order_by("pk")[:FILES_SHOWN]
    )


def reason_words(reason: dict[str, Any]) -> str:
    """The reason of an event as text: `site AGLT2 · decision 5`."""
    return " · ".join(_reasons(reason))


def _reasons(reason: dict[str, Any]) -> Iterator[str]:
    for name, value in reason.items():
        if value in ("", None, [], {}):
            continue
        if name == "errors" and isinstance(value, list):
            yield ", ".join(" ".join(str(part) for part in error) for error in value)
        else:
            yield f"{name} {value}"


def needs_words(job: AnyJob) -> str:
    """What the job asks of a node; what it leaves open is not named."""
    wanted = (
        (job.min_ram_count, f"{job.min_ram_count:,} MB memory"),
        (job.max_disk_count, f"{job.max_disk_count:,} MB disk"),
        (job.min_cpu_speed, f"{job.min_cpu_speed:,} MHz"),
        (job.max_cpu_count, f"{span(job.max_cpu_count)} CPU"),
    )
    return ", ".join([plural(job.core_count, "core"), *(text for amount, text in wanted if amount)])


def used_words(job: AnyJob) -> str:
    """What it has used so far, as its pilot says."""
    used = (
        (job.cpu_consumption_time, f"{span(job.cpu_consumption_time)} CPU"),
        (job.max_rss_mb, f"{job.max_rss_mb:,} MB memory"),
        (job.trans_exit_code is not None, f"exit code {job.trans_exit_code}"),
    )
    return ", ".join(text for amount, text in used if amount) or "nothing yet"
