"""Launch: the transformation of a job as a command with its surroundings."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from pilot_client import guard
from pilot_client.errors import JobFailed, PilotCode
from pilot_client.facts import folders
from pilot_client.folder import JobFolder
from pilot_client.isolation import Sandbox
from pilot_client.measure import MEGABYTE
from pilot_client.wire import Job

GRACE_SECONDS = 10.0
MOVER_LABEL = "ddm"
# Numeric libraries take every core of the node otherwise, whatever the slot has.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENMM_CPU_THREADS",
)
MARKER = "PILOT_JOB_FOLDER"  # lets a restarted pilot find what its dead predecessor left running


def spec_of(*, job: Job, folder: JobFolder, software: Path, sandbox: Sandbox) -> guard.Spec:
    """The command and its surroundings; raises JobFailed if it cannot be put together."""
    program, platform = chosen(job, folder, software)
    brought = [program] if job.program else []
    mounted = [job.storage] if isinstance(job.storage, Path) else []
    return guard.Spec(
        argv=sandbox.wrap(
            [str(program), *arguments(job.parameters)],
            work=folder.work,
            readable=[*brought, *mounted, *sources(job)],
        ),
        cwd=str(folder.work),
        env=environment(job, folder, platform),
        stdout=str(folder.stdout),
        stderr=str(folder.stderr),
        pilot_pid=os.getpid(),
        grace=GRACE_SECONDS,
        fsize=job.disk_mb * MEGABYTE,
        wrapped=sandbox.program is not None,
        lease=str(folder.lease),
    )


def sources(job: Job) -> list[Path]:
    """Mounted storage that a mover job reads from: the server names it, in the arguments."""
    if job.label != MOVER_LABEL:
        return []
    return [
        Path(word.removeprefix("file://"))
        for word in arguments(job.parameters)
        if word.startswith("file:///")
    ]


def chosen(job: Job, folder: JobFolder, software: Path) -> tuple[Path, Path | None]:
    """The program, and the platform whose release it runs with; one of the server's needs none."""
    if job.program is None:
        program = find_program(job, software)
        return program, software.joinpath(*program.relative_to(software).parts[:2])
    fitting = installed(job, software) if job.release or job.cmt_config else []
    if not fitting and (job.release or job.cmt_config):
        raise missing_release(job)
    return folder.program(job.program.name), fitting[-1] if fitting else None


def missing_release(job: Job) -> JobFailed:
    """The node has not what the job wants."""
    wanted = f"{job.release or 'any release'}/{job.cmt_config or 'any platform'}"
    return JobFailed(PilotCode.MISSING_RELEASE, f"{wanted} is not installed here")


def find_program(job: Job, software: Path) -> Path:
    """The transformation in the software area, executable."""
    wanted = f"{job.release or 'any release'}/{job.cmt_config or 'any platform'}"
    if not software.is_dir():
        raise JobFailed(PilotCode.NO_SOFTWARE_AREA, "this node has no software area")
    fitting = installed(job, software)
    if not fitting:
        raise missing_release(job)
    programs = [path for folder in fitting if (path := folder / job.transformation).is_file()]
    if not programs:
        raise JobFailed(PilotCode.NO_TRANSFORMATION, f"{job.transformation} is not in {wanted}")
    if not os.access(programs[-1], os.X_OK):
        raise JobFailed(PilotCode.NOT_EXECUTED, f"{job.transformation} is not executable")
    return programs[-1]


def installed(job: Job, software: Path) -> list[Path]:
    """The folders of the job's release and platform; all that fit where it leaves them open."""
    releases = [software / job.release] if job.release else folders(software)
    platforms = [
        platform
        for release in releases
        for platform in ([release / job.cmt_config] if job.cmt_config else folders(release))
    ]
    return [platform for platform in platforms if platform.is_dir()]


def arguments(parameters: str) -> list[str]:
    """The job parameters as a list; quotes are understood, nothing is expanded."""
    try:
        words = shlex.split(parameters)
    except ValueError as error:
        raise JobFailed(PilotCode.BAD_ARGUMENTS, f"job parameters: {error}") from error
    if any("\0" in word for word in words):
        raise JobFailed(PilotCode.BAD_ARGUMENTS, "job parameters hold a null character")
    return words


def environment(job: Job, folder: JobFolder, platform: Path | None) -> dict[str, str]:
    """A small clean environment: nothing of the pilot's own, so no secret of it either."""
    temporary = folder.work / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        # `env python3` is then the interpreter that the pilot itself was given.
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder.work),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # a beat carries the tail of stdout while the payload runs
        "ATLAS_RELEASE": platform.parent.name if platform else "",
        "CMTCONFIG": platform.name if platform else "",
        "PANDAID": folder.path.name.partition(".")[0],
        MARKER: str(folder.path),
        **dict.fromkeys(THREADS, str(max(1, job.core_count))),
    }
