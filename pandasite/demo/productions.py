"""What the demo submits: three productions and the jobs that are meant to fail.

Pure: from the number of a wave to the submissions, each with the end that its job must have.
The same number always gives the same bytes, so that a repeated submission is recognised.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pandasite.demo.grid import ANALYSIS, CHEMISTRY, GENERATION
from pandasite.demo.submissions import Submission, analysis_job, file, job
from pandasite.demo.wave import (
    Wave,
    archive_dataset,
    event_dataset,
    event_file,
    histogram_dataset,
    histogram_file,
    job_name,
    plot_file,
    result_file,
    sound_file,
    tampered_file,
)

SCOPE = "mc09_14TeV"
USER_SCOPE = "user.demo"
HOME_STORAGE = "BNL_ATLAS_1_DATADISK"
ARCHIVE_SCOPE = "mc08_14TeV"  # last year's events, which lie at a Tier-1 before the wave
ANALYSIS_CLOUDS = ("FR", "CA")  # not the cloud that generates: the data has to travel


@dataclass(frozen=True)
class End:
    """How a job must end: its state, and the code of the component at fault.

    `retried`: a failure like this has successors until the job's attempts are used up.
    """

    state: str
    component: str = ""
    code: int = 0
    retried: bool = True

    def __str__(self) -> str:
        return f"{self.state} {self.component} {self.code}" if self.component else self.state


FINISHED = End("finished")
SEGMENTATION_FAULT = End("failed", "exe", 60010)
MISSING_OUTPUT = End("failed", "pilot", 1165)
WRONG_CHECKSUM = End("failed", "ddm", 100, retried=False)


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A job to submit, and the end that it and each successor must have."""

    submission: Submission
    end: End = FINISHED

    @property
    def name(self) -> str:
        return str(self.submission["job_name"])

    @property
    def max_attempt(self) -> int:
        return int(self.submission["max_attempt"])


@dataclass(frozen=True, kw_only=True)
class Production:
    """Jobs that are submitted together under one idempotency key."""

    key: str
    title: str
    jobs: tuple[PlannedJob, ...]
    request: str = ""  # the task that production asks for in prodDB; '' : a user submits over REST
    cloud: str = ""  # that the request names; '' : Bamboo chooses
    priority: int = 500
    parameters: Submission | None = None  # of a task whose jobs the tasks engine makes: these jobs

    def body(self) -> dict[str, list[Submission]]:
        """The JSON of the submission."""
        return {"jobs": [job.submission for job in self.jobs]}


def productions(wave: Wave) -> tuple[Production, ...]:
    """All that one wave submits, at once: what needs the output of others waits for it.

    Three enter through the production database, the jobs of users over REST. Bamboo gives urgent
    event generation, whose jobs the tasks engine makes, to the one fast-track cloud; the two others
    name their cloud and define their jobs.
    """
    return (
        event_generation(wave),
        production(wave, "analysis", "analysis in other clouds", analysis(wave)),
        asked_for(wave, "merge", "merge at the Tier-1", [merge(wave)], cloud="US", priority=900),
        asked_for(wave, "charmm", "molecular dynamics of ALA3", chemistry(wave), cloud="US"),
        production(
            wave, "faulty", "jobs with a flaw, three of which are meant to fail", faulty(wave)
        ),
    )


def production(wave: Wave, key: str, title: str, jobs: Iterable[PlannedJob]) -> Production:
    """Jobs that share a key and a task."""
    planned = tuple(jobs)
    for one in planned:
        one.submission["task"] = f"demo.{key}.{wave.tag}"
    return Production(key=f"demo-{wave.tag}-{key}", title=title, jobs=planned)


def asked_for(
    wave: Wave,
    key: str,
    title: str,
    jobs: Iterable[PlannedJob],
    *,
    priority: int = 500,
    cloud: str = "",
) -> Production:
    """The same, as job definitions of a task request."""
    made = production(wave, key, title, jobs)
    return replace(made, request=f"demo.{key}.{wave.tag}", cloud=cloud, priority=priority)


def event_generation(wave: Wave) -> Production:
    """Asked for in prodDB as a task of the engine, which names its jobs by the task."""
    title = "event generation, pp at 14 TeV"
    made = asked_for(wave, "evgen", title, generation(wave), priority=750)
    return replace(made, request=f"demo.{wave.tag}.evgen", parameters=generation_task(wave))


def generation_task(wave: Wave) -> Submission:
    """What makes the jobs of `generation`: a piece of work has the number of its job."""
    like = next(generation(wave)).submission
    shared = ("transformation", "homepackage", "cmt_config", "atlas_release", "destination_se")
    lfn = event_file(wave, 0).replace("00000", "${SN}")
    return {
        **{name: like[name] for name in shared},
        "job_parameters": (
            f"--events ${{MAXEVENTS}} --seed {wave.number}00${{N}} --output ${{OUTPUT0}}"
        ),
        "events": wave.events * wave.generation_jobs,
        "events_per_job": wave.events,
        "outputs": [file(lfn, SCOPE, event_dataset(wave))],
        "memory_mb": like["min_ram_count"],
        "disk_mb": like["max_disk_count"],
        "wall_s": like["max_cpu_count"],
        "max_attempts": like["max_attempt"],
        "scouts": False,  # there is nothing to find out, and it would take twice the time
    }


def generation(wave: Wave) -> Iterator[PlannedJob]:
    """PYTHIA: one event file per job, into one dataset at the Tier-1."""
    for nr in range(1, wave.generation_jobs + 1):
        lfn = event_file(wave, nr)
        yield PlannedJob(
            submission=job(
                job_name(wave, "evgen", nr),
                transformation="evgen.py",
                job_parameters=(
                    f"--events {wave.events} --seed {wave.number * 1000 + nr} --output {lfn}"
                ),
                processing_type="evgen",
                cloud="US",
                destination_se=HOME_STORAGE,
                atlas_release=GENERATION,
                output_files=[file(lfn, SCOPE, event_dataset(wave))],
            )
        )


def analysis(wave: Wave) -> Iterator[PlannedJob]:
    """One histogram file per event file, in the clouds that did not generate them."""
    for nr in range(1, wave.generation_jobs + 1):
        source = file(event_file(wave, nr), SCOPE, event_dataset(wave))
        yield PlannedJob(
            submission=analysis_job(
                job_name(wave, "analysis", nr),
                source=source,
                output=file(histogram_file(wave, nr), USER_SCOPE, histogram_dataset(wave)),
                cloud=ANALYSIS_CLOUDS[nr % len(ANALYSIS_CLOUDS)],
            )
        )


def merge(wave: Wave) -> PlannedJob:
    """All histograms into one result and one picture."""
    numbers = range(1, wave.generation_jobs + 1)
    histograms = [histogram_file(wave, nr) for nr in numbers]
    result, plot = result_file(wave), plot_file(wave)
    dataset = f"group.demo.105001.pythia_minbias.merge.RESULT.{wave.tag}"
    return PlannedJob(
        submission=job(
            job_name(wave, "merge", 1),
            transformation="merge.py",
            job_parameters=f"--input {' '.join(histograms)} --output {result} --plot {plot}",
            processing_type="merge",
            assigned_priority=900,
            cloud="US",
            site="BNL_ATLAS_1",
            destination_se=HOME_STORAGE,
            atlas_release=ANALYSIS,
            input_files=[file(lfn, USER_SCOPE, histogram_dataset(wave)) for lfn in histograms],
            output_files=[file(result, SCOPE, dataset), file(plot, SCOPE, dataset)],
        )
    )


def chemistry(wave: Wave) -> Iterator[PlannedJob]:
    """The first users of another field."""
    for nr in range(1, wave.chemistry_jobs + 1):
        lfn = f"ALA3.{wave.tag}._{nr:05d}.npz"
        seed = wave.number * 1000 + nr
        yield PlannedJob(
            submission=job(
                job_name(wave, "charmm", nr),
                transformation="charmm.py",
                job_parameters=f"--steps {wave.steps} --seed {seed} --output {lfn}",
                processing_type="charmm",
                vo="charmm",
                working_group="charmm",
                cloud="US",
                atlas_release=CHEMISTRY,
                output_files=[file(lfn, "charmm", f"charmm.ala3.vacuum.{wave.tag}")],
            )
        )


def faulty(wave: Wave) -> Iterator[PlannedJob]:
    """A crash, a forgotten output, each tried twice; a source file that was tampered with;
    and beside the last, from the same archive, a file that is sound."""
    archive = f"user.demo.archive.{wave.tag}.HIST"
    yield PlannedJob(
        submission=output_only(wave, "crash", "--after-seconds 1 --output"), end=SEGMENTATION_FAULT
    )
    yield PlannedJob(submission=output_only(wave, "forgetful", "--output"), end=MISSING_OUTPUT)
    for what, lfn, end in (
        ("archive", sound_file(wave), FINISHED),
        ("tampered", tampered_file(wave), WRONG_CHECKSUM),
    ):
        yield PlannedJob(
            submission=analysis_job(
                job_name(wave, what, 1),
                source=file(lfn, ARCHIVE_SCOPE, archive_dataset(wave)),
                output=file(f"HIST.{what}.{wave.tag}._00001.npz", USER_SCOPE, archive),
                cloud="FR",
                max_attempt=2,
            ),
            end=end,
        )


def output_only(wave: Wave, what: str, parameters: str) -> Submission:
    """An analysis job without input. Two attempts: the second fails as the first did."""
    lfn = f"HIST.{what}.{wave.tag}._00001.npz"
    return job(
        job_name(wave, what, 1),
        transformation=f"{what}.py",
        job_parameters=f"{parameters} {lfn}",
        prod_source_label="user",
        processing_type="analysis",
        atlas_release=ANALYSIS,
        cloud="CA",
        max_attempt=2,
        output_files=[file(lfn, USER_SCOPE, f"user.demo.{what}.{wave.tag}")],
    )
