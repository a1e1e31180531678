"""Stage out: outputs and the log to the local storage, whole or not at all."""

from __future__ import annotations

import errno
import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pilot_client.checksum import read_through
from pilot_client.errors import JobFailed, PilotCode
from pilot_client.folder import open_regular
from pilot_client.remote import Remote
from pilot_client.wire import Job, Output

log = logging.getLogger(__name__)

TRIES = (1.0, 4.0, 0.0)  # s to wait after each try; a mounted storage has its moments
# What trying again does not help.
LASTING = (errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A file at the storage: size in bytes, adler32 as 8 hex digits, the GUID made here."""

    lfn: str
    guid: str
    size: int
    adler32: str


def stage_out(*, job: Job, work: Path, pause: Callable[[float], None]) -> list[Stored]:
    """Store every declared output; raises JobFailed naming those that are not there."""
    missing = [wanted.lfn for wanted in job.outputs if not os.path.lexists(work / wanted.lfn)]
    if missing:
        raise JobFailed(PilotCode.MISSING_OUTPUT, f"no output {', '.join(missing)}")
    return [
        store(wanted, source=work / wanted.lfn, storage=job.storage, pause=pause)
        for wanted in job.outputs
    ]


def store(
    wanted: Output, *, source: Path, storage: Path | Remote, pause: Callable[[float], None]
) -> Stored:
    """Store one file, trying again if the storage fails; `pause` waits, or raises to give up."""
    for wait in TRIES:
        try:
            if isinstance(storage, Remote):
                return send(wanted, source=source, storage=storage, check=lambda: pause(0))
            return put(wanted, source=source, target=storage / wanted.path, check=lambda: pause(0))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            log.warning("stage out: %s: %s", wanted.lfn, reason)
            if error.errno in LASTING:
                break
        pause(wait)
    raise JobFailed(PilotCode.STAGE_OUT_FAILED, f"cannot store {wanted.lfn}: {reason}")


def send(wanted: Output, *, source: Path, storage: Remote, check: Callable[[], None]) -> Stored:
    """Store a file at a storage that is not mounted."""
    with os.fdopen(open_regular(source), "rb") as file:
        size, adler32 = storage.put(wanted.path, wanted.url, file, check=check)
    log.info("stage out: %s, %d bytes, adler32 %s", wanted.lfn, size, adler32)
    return Stored(lfn=wanted.lfn, guid=str(uuid.uuid4()), size=size, adler32=adler32)


def put(wanted: Output, *, source: Path, target: Path, check: Callable[[], None]) -> Stored:
    """Copy under another name, see it to the disk, rename: nobody ever meets half a file."""
    with os.fdopen(open_regular(source), "rb") as file:
        target.parent.mkdir(parents=True, exist_ok=True)
        guid = str(uuid.uuid4())
        part = target.with_name(f".{guid}.part")
        try:
            size, adler32 = copy(file, part, check)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(target.parent)
    log.info("stage out: %s, %d bytes, adler32 %s", wanted.lfn, size, adler32)
    return Stored(lfn=wanted.lfn, guid=guid, size=size, adler32=adler32)


def copy(source: BinaryIO, target: Path, check: Callable[[], None]) -> tuple[int, str]:
    """Copy and sum up in one reading: size and adler32 are of what was really written."""
    with open(target, "xb") as file:
        summed = read_through(source, check=check, into=file)
        file.flush()
        os.fsync(file.fileno())
    return summed


def sync_folder(folder: Path) -> None:
    """See the new name to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
