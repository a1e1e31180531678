"""What a wave has come to: read from the tables, said in a line and in a summary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.db.models import Sum

from datasets.models import File, Replica, Transfer
from datasets.states import TransferState
from datasets.storage import path_of
from jobs.models import AnyJob, AnyJobEvent, AnyJobFile, ErrorCode
from jobs.states import JobState
from pandasite.demo.productions import SCOPE, PlannedJob
from pandasite.demo.verdict import Expectation, JobFacts, deviations, interrupted, lost, per_state
from pandasite.demo.wave import Wave, plot_file


@dataclass(frozen=True, kw_only=True)
class Found:
    """The state of a wave. Bytes are those that transfers have moved."""

    jobs: list[JobFacts]
    files: int
    transfers: int
    bytes_moved: int
    attempts: int
    plot: Path | None


def look(wave: Wave) -> Found:
    """Read the wave's jobs, files and transfers."""
    jobs = AnyJob.objects.filter(job_name__startswith=f"demo.{wave.tag}.")
    names = AnyJobFile.objects.filter(job__in=jobs)
    made = names.exclude(type=AnyJobFile.Type.INPUT).exclude(file=None).values("file")
    used = names.exclude(file=None).values("file")
    transfers = Transfer.objects.filter(file__in=used, state=TransferState.DONE)
    return Found(
        jobs=[facts(job) for job in jobs.order_by("pk")],
        files=File.objects.filter(pk__in=made).count(),
        transfers=transfers.count(),
        bytes_moved=transfers.aggregate(total=Sum("bytes_moved"))["total"] or 0,
        attempts=AnyJobEvent.objects.filter(job__in=jobs, to_state=JobState.SENT).count(),
        plot=plot_of(wave),
    )


def facts(job: AnyJob) -> JobFacts:
    """What the verdict needs of a job."""
    errors = job.errors()
    return JobFacts(
        panda_id=job.pk,
        name=job.job_name,
        state=str(job.state),
        attempts=job.attempt_nr,
        retry_of=job.retry_of,
        errors={component: code for component, code, _diag in errors},
        diag="; ".join(diag for _component, _code, diag in errors if diag),
    )


def plot_of(wave: Wave) -> Path | None:
    """Where the merged picture lies, once it is registered."""
    replica = (
        Replica.objects.filter(
            file__scope=SCOPE, file__lfn=plot_file(wave), state=Replica.State.AVAILABLE
        )
        .select_related("storage")
        .first()
    )
    if replica is None:
        return None
    return Path(replica.storage.url.removeprefix("file://")) / path_of(SCOPE, plot_file(wave))


def latest_wave() -> Wave | None:
    """The wave of the newest job of the demo."""
    newest = AnyJob.objects.filter(job_name__startswith="demo.").order_by("-pk")
    names = newest.values_list("job_name", flat=True)[:1000]
    return next((wave for name in names if (wave := Wave.of_job(name))), None)


def known_ids(names: Sequence[str]) -> dict[str, int]:
    """PandaIDs of first jobs (not successors) by job name."""
    rows = AnyJob.objects.filter(job_name__in=names, retry_of=None)
    return dict(rows.values_list("job_name", "panda_id"))


def progress_line(found: Found, *, seconds: float) -> str:
    """One line: time, jobs by state in the order of their life, bytes."""
    count = per_state(found.jobs)
    states = "  ".join(f"{state} {count[state]}" for state in JobState if count[state])
    return (
        f"{seconds:4.0f} s  {len(found.jobs)} jobs: {states}  {megabytes(found.bytes_moved)} moved"
    )


def as_administered(jobs: Iterable[PlannedJob]) -> list[PlannedJob]:
    """The plans as the error catalogue is now: a failure marked `do_not_retry` has no successor."""
    marked = set(
        ErrorCode.objects.filter(do_not_retry=True).values_list("component", "code").order_by()
    )
    return [
        replace(job, end=replace(job.end, retried=False))
        if (job.end.component, job.end.code) in marked
        else job
        for job in jobs
    ]


def summary(found: Found, expected: Sequence[Expectation], *, seconds: float) -> list[str]:
    """The end of a wave in words, one fact a line."""
    count = per_state(found.jobs)
    states = ", ".join(f"{state} {count[state]}" for state in JobState if count[state])
    wrong = deviations(expected, found.jobs)
    meant = sum(1 for one in expected if one.plan.end.state == "failed")
    successors = sum(1 for job in found.jobs if job.retry_of)
    cut = sum(1 for job in found.jobs if interrupted(job))
    return [
        f"jobs        {len(found.jobs)}: {states}",
        f"            {len(expected)} submitted, {meant} of them meant to fail; "
        f"{successors} successors of failed ones"
        + (f"; {cut} cut short from outside" if cut else ""),
        f"attempts    {found.attempts} handed to pilots",
        f"files       {found.files} made and registered",
        f"moved       {megabytes(found.bytes_moved)} in {found.transfers} transfers",
        f"lost        {lost(expected, found.jobs)}",
        f"wall time   {seconds:.0f} s",
        f"plot        {found.plot or 'none'}",
        *(["as intended: every job"] if not wrong else not_as_intended(wrong)),
    ]


def not_as_intended(wrong: Iterable[str]) -> list[str]:
    return [f"NOT as intended: {sentence}" for sentence in wrong]


def megabytes(size: int) -> str:
    """Bytes as MB (10^6)."""
    return f"{size / 1e6:.1f} MB"
