"""Launch: the transformation of a job as a command with its surroundings."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from pilot_client import guard
from pilot_client.errors import JobFailed, PilotCode
from pilot_client.folder import JobFolder
from pilot_client.isolation import Sandbox
from pilot_client.measure import MEGABYTE
from pilot_client.wire import Job

GRACE_SECONDS = 10.0
MARKER = "PILOT_JOB_FOLDER"  # lets a restarted pilot find what its dead predecessor left running


def spec_of(*, job: Job, folder: JobFolder, software: Path, sandbox: Sandbox) -> guard.Spec:
    """The command and its surroundings; raises JobFailed if it cannot be put together."""
    program = find_program(job, software)
    return guard.Spec(
        argv=sandbox.wrap(
            [str(program), *arguments(job.parameters)], work=folder.work, readable=[job.storage]
        ),
        cwd=str(folder.work),
        env=environment(job, folder),
        stdout=str(folder.stdout),
        stderr=str(folder.stderr),
        pilot_pid=os.getpid(),
        grace=GRACE_SECONDS,
        fsize=job.disk_mb * MEGABYTE,
        wrapped=sandbox.program is not None,
    )


def find_program(job: Job, software: Path) -> Path:
    """The transformation in the software area, executable."""
    release = software / job.release / job.cmt_config
    program = release / job.transformation
    if not software.is_dir():
        raise JobFailed(PilotCode.NO_SOFTWARE_AREA, "this node has no software area")
    if not release.is_dir():
        raise JobFailed(
            PilotCode.MISSING_RELEASE, f"{job.release}/{job.cmt_config} is not installed here"
        )
    if not program.is_file():
        raise JobFailed(
            PilotCode.NO_TRANSFORMATION, f"{job.transformation} is not in {job.release}"
        )
    if not os.access(program, os.X_OK):
        raise JobFailed(PilotCode.NOT_EXECUTED, f"{job.transformation} is not executable")
    return program


def arguments(parameters: str) -> list[str]:
    """The job parameters as a list; quotes are understood, nothing is expanded."""
    try:
        words = shlex.split(parameters)
    except ValueError as error:
        raise JobFailed(PilotCode.BAD_ARGUMENTS, f"job parameters: {error}") from error
    if any("\0" in word for word in words):
        raise JobFailed(PilotCode.BAD_ARGUMENTS, "job parameters hold a null character")
    return words


def environment(job: Job, folder: JobFolder) -> dict[str, str]:
    """A small clean environment: nothing of the pilot's own, so no secret of it either."""
    temporary = folder.work / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        # `env python3` is then the interpreter that the pilot itself was given.
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder.work),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(max(1, job.core_count)),
        "ATLAS_RELEASE": job.release,
        "CMTCONFIG": job.cmt_config,
        "PANDAID": folder.path.name.partition(".")[0],
        MARKER: str(folder.path),
    }
