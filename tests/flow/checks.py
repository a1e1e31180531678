"""What must be true of jobs that have ended, whatever was killed meanwhile; each lapse in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets.models import Replica, StorageElement
from datasets.storage import checksum, path_of
from jobs import fsck
from jobs.models import Job, JobEvent, JobFile
from jobs.states import JobState
from tests.flow.journal import overlaps, runs
from tests.flow.site import FlowSite


def wrongs(site: FlowSite, panda_ids: Sequence[int]) -> list[str]:
    """Everything that is not as it must be; the last checks look at the whole site."""
    with site.books():
        return [
            *not_finished(panda_ids),
            *not_once(panda_ids),
            *wrong_outputs(panda_ids),
            *wrong_anywhere(),
            *overlaps(runs(site.journal)),
        ]


def wrong_anywhere() -> list[str]:
    """Books that do not agree, files that are not what the books say, and remains."""
    return [*fsck.check(), *damaged_files(), *half_files()]


def not_finished(panda_ids: Sequence[int]) -> Iterator[str]:
    """Lost jobs, and those that ended otherwise or have successors."""
    found = {job.pk: job for job in Job.objects.filter(pk__in=panda_ids)}
    yield from (f"job {pk} is lost" for pk in panda_ids if pk not in found)
    for job in found.values():
        if job.state != JobState.FINISHED:
            yield f"job {job} is {job.state}: {job.errors()}"
    for job in Job.objects.filter(retry_of__in=panda_ids):
        yield f"job {job.retry_of} has a successor, {job}"


def not_once(panda_ids: Sequence[int]) -> Iterator[str]:
    """Jobs whose history does not hold exactly one finish, and one final report."""
    for pk in panda_ids:
        events = list(JobEvent.objects.filter(job=pk).values_list("to_state", flat=True))
        for state in (JobState.FINISHED, JobState.HOLDING):
            if events.count(state) != 1:
                yield f"job {pk} became {state} {events.count(state)} times: {events}"


def wrong_outputs(panda_ids: Sequence[int]) -> Iterator[str]:
    """Outputs that are not those of the attempt that finished, or were made of wrong inputs."""
    rows = JobFile.objects.filter(job__in=panda_ids, type="output").select_related("job", "file")
    for row in rows:
        maker = f"{row.job_id}.{row.job.attempt_nr}"
        for replica in replicas_of(row):
            first, *rest = on_disk(replica).read_text(encoding="ascii").splitlines()
            if first != maker:
                yield f"{row} at {replica.storage} was made by {first}, not by {maker}"
            if rest != read_by(row.job):
                yield f"{row} was made of {rest}, not of {read_by(row.job)}"


def replicas_of(row: JobFile) -> list[Replica]:
    return list(Replica.objects.filter(file=row.file).select_related("storage", "file"))


def read_by(job: Job) -> list[str]:
    """What a job must have read, in the words of its program."""
    rows = job.files.filter(type="input").select_related("file").order_by("pk")
    return [f"{row.lfn} {row.file.adler32}" for row in rows if row.file]


def damaged_files() -> Iterator[str]:
    """Files registered as good that are not at the storage as they are in the catalogue."""
    good = Replica.objects.filter(state=Replica.State.AVAILABLE)
    for replica in good.select_related("storage", "file"):
        file = replica.file
        found = checksum(replica.storage.url, path_of(file.scope, file.lfn))
        if found is None or (found.size, found.adler32) != (file.size, file.adler32):
            yield f"{file} at {replica.storage}: {found}, registered {file.size} {file.adler32}"


def half_files() -> Iterator[str]:
    """Remains of copies that were broken off."""
    for storage in StorageElement.objects.all():
        yield from (str(path) for path in root_of(storage).rglob("*.part"))


def on_disk(replica: Replica) -> Path:
    return root_of(replica.storage) / path_of(replica.file.scope, replica.file.lfn)


def root_of(storage: StorageElement) -> Path:
    return Path(storage.url.removeprefix("file://"))
