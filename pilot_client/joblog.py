"""The job's log: what the payload and the pilot said, as one tarball of bounded size."""

from __future__ import annotations

import io
import logging
import os
import tarfile
import time
from pathlib import Path

from pilot_client.errors import JobFailed
from pilot_client.folder import JobFolder, open_regular
from pilot_client.judge import REPORT_FILE

log = logging.getLogger(__name__)

MAX_WRITTEN = 20
MEMBER_BYTES = 10 * 1024 * 1024


def pack(folder: JobFolder, *, name: str) -> Path:
    """Write `<folder>/log.tgz`: both outputs, the report, and logs the payload wrote itself."""
    target = folder.path / "log.tgz"
    own = (folder.stdout, folder.stderr, folder.pilot_log, folder.work / REPORT_FILE)
    written = sorted(folder.work.glob("*.log"))[:MAX_WRITTEN]
    with tarfile.open(target, "w:gz", compresslevel=6) as tar:
        for source in (*own, *written):
            if os.path.lexists(source):
                add(tar, source, name=f"{name}/{source.name}")
    return target


def add(tar: tarfile.TarFile, source: Path, *, name: str) -> None:
    """One member; what the payload put there instead of a plain file is left out."""
    try:
        content = last_bytes(source)
    except JobFailed as error:
        log.warning("log: %s", error)
        return
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), int(time.time()), 0o644
    tar.addfile(member, io.BytesIO(content))


def last_bytes(source: Path) -> bytes:
    """The file, or the end of it with a line saying that its beginning was cut off."""
    with os.fdopen(open_regular(source), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= MEMBER_BYTES:
            return file.read(MEMBER_BYTES)
        file.seek(size - MEMBER_BYTES)
        return f"[the first {size - MEMBER_BYTES} bytes are cut off]\n".encode() + file.read(
            MEMBER_BYTES
        )
