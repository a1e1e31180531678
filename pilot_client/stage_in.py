"""Stage in: every input, checked for size and adler32, under its name in the work folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pilot_client.checksum import read_through
from pilot_client.errors import JobFailed, PilotCode
from pilot_client.remote import Remote
from pilot_client.wire import Input, Job

log = logging.getLogger(__name__)


def stage_in(*, job: Job, work: Path, copy: bool, check: Callable[[], None]) -> None:
    """Link (or copy) and verify; `check` is called between chunks and raises to end it."""
    for wanted in job.inputs:
        target = work / wanted.lfn
        bring(wanted, storage=job.storage, target=target, copy=copy, check=check)
        log.info("stage in: %s", wanted.lfn)


def bring(
    wanted: Input, *, storage: Path | Remote, target: Path, copy: bool, check: Callable[[], None]
) -> None:
    """One input. Raises JobFailed if it is missing, unreadable or not what it should be."""
    try:
        if isinstance(storage, Remote):
            size, adler32 = storage.fetch(wanted.path, wanted.url, into=target, check=check)
        else:
            source = storage / wanted.path
            size, adler32 = read(source, copy_to=target if copy else None, check=check)
            if not copy:
                target.symlink_to(source)
    except FileNotFoundError as error:
        raise JobFailed(
            PilotCode.MISSING_INPUT, f"input {wanted.lfn} is not in the local storage"
        ) from error
    except OSError as error:
        raise JobFailed(
            PilotCode.STAGE_IN_FAILED, f"input {wanted.lfn}: {error.strerror}"
        ) from error
    verify(wanted, size=size, adler32=adler32)


def verify(wanted: Input, *, size: int, adler32: str) -> None:
    """Compare with what the server promised; what it does not name is not compared."""
    if wanted.size is not None and size != wanted.size:
        raise JobFailed(
            PilotCode.STAGE_IN_FAILED,
            f"input {wanted.lfn} has {size} bytes, {wanted.size} expected",
        )
    if wanted.adler32 is not None and adler32 != wanted.adler32:
        raise JobFailed(
            PilotCode.INPUT_CHECKSUM,
            f"input {wanted.lfn} has adler32 {adler32}, {wanted.adler32} expected",
        )


def read(source: Path, *, copy_to: Path | None, check: Callable[[], None]) -> tuple[int, str]:
    """Size and adler32 of a file, copied on the way if asked for."""
    with open(source, "rb") as file:
        if copy_to is None:
            return read_through(file, check=check)
        with open(copy_to, "xb") as into:
            return read_through(file, check=check, into=into)
