"""The log tarball of a job, streamed from storage. No part of the path comes from the address."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import StreamingHttpResponse
from fsspec.spec import AbstractBufferedFile

from datasets.models import Replica
from datasets.storage import CHUNK, StorageError, open_storage, path_of
from jobs.models import JobFile
from jobs.report import log_name
from pandasite.base.errors import NotThere


def log_of(panda_id: int, attempt: int | None) -> JobFile:
    """The registered log of an attempt, or of the last that has one; else NotThere."""
    logs = JobFile.objects.filter(job=panda_id, type=JobFile.Type.LOG, file__isnull=False)
    logs = logs.select_related("file", "job")
    found = next((log for log in logs.order_by("-pk") if _is_of(log, attempt)), None)
    if found is None:
        which = "" if attempt is None else f" of attempt {attempt}"
        raise NotThere(f"job {panda_id} has no log{which}")
    return found


def _is_of(log: JobFile, attempt: int | None) -> bool:
    if attempt is None:
        return True
    job = log.job
    job.attempt_nr = attempt  # only for the name; it is not saved
    return log.lfn == log_name(job)[1]


def download(log: JobFile) -> StreamingHttpResponse:
    """The bytes of a log as an attachment; NotThere when no storage element gives them."""
    good = Replica.objects.filter(file=log.file_id, state=Replica.State.AVAILABLE)
    for replica in good.select_related("storage").order_by("pk"):
        try:
            filesystem, root = open_storage(replica.storage.url)
            path = f"{root}/{path_of(log.scope, log.lfn)}"
            size, handle = filesystem.size(path), filesystem.open(path, "rb")
        except (OSError, StorageError):
            continue  # another element may have it
        return _answer(log.lfn, size, handle)
    raise NotThere(f"no storage element has {log.lfn} at hand")


def _answer(name: str, size: int, handle: AbstractBufferedFile) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_chunks(handle), content_type="application/gzip")
    response.headers["Content-Length"] = str(size)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _chunks(handle: AbstractBufferedFile) -> Iterator[bytes]:
    with handle:
        while chunk := handle.read(CHUNK):
            yield chunk
