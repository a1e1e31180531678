"""The log tarball of a job, streamed from storage. No part of the path comes from the address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse

from datasets.models import Replica, StorageElement
from datasets.storage import CHUNK, StorageError, StoredFile, open_file, path_of
from jobs.models import AnyJobFile
from pandasite.base.errors import NotThere
from pandasite.base.ranges import RangeNotSatisfiable, Span, span_of

GZIP = "application/gzip"
ATTEMPT = re.compile(r"\._([0-9]{1,9})\.job\.log\.tgz")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which bytes: from `offset` on, and of those what a Range header asks for ('' = all)."""

    offset: int = 0
    range: str = ""
    only_headers: bool = False

    @classmethod
    def of(cls, request: HttpRequest, offset: int) -> Self:
        """If-Range asks whether the file is still the same, which nothing here can say: all."""
        wanted = request.method == "GET" and "If-Range" not in request.headers
        return cls(
            offset=offset,
            range=request.headers.get("Range", "") if wanted else "",
            only_headers=request.method == "HEAD",
        )


@dataclass(frozen=True, kw_only=True)
class LogLink:
    """A log that can be had: its name, size in bytes, and where."""

    name: str
    size: int | None
    url: str
    look_url: str = ""  # what is in it

    @classmethod
    def of(cls, log: AnyJobFile) -> Self:
        """The link of a registered log."""
        attempt = attempt_of(log)
        query = "" if attempt is None else f"?attempt={attempt}"
        return cls(
            name=log.lfn,
            size=log.size,
            url=reverse("monitor:job_log", args=[log.job_id]) + query,
            look_url=reverse("monitor:job_logs", args=[log.job_id]) + query,
        )


def attempt_of(log: AnyJobFile) -> int | None:
    """Which attempt the log is of: its name says so (jobs.report.log_name)."""
    found = ATTEMPT.search(log.lfn)
    return int(found[1]) if found else None


def log_of(panda_id: int, attempt: int | None) -> AnyJobFile:
    """The registered log of an attempt, or of the last that has one; else NotThere."""
    logs = AnyJobFile.objects.filter(job=panda_id, type=AnyJobFile.Type.LOG, file__isnull=False)
    wanted = [log for log in logs.order_by("-pk") if attempt in (None, attempt_of(log))]
    found = wanted[0] if wanted else None
    if found is None:
        which = "" if attempt is None else f" of attempt {attempt}"
        raise NotThere(f"job {panda_id} has no log{which}")
    return found


def holders(log: AnyJobFile) -> list[StorageElement]:
    """The storage elements with a good replica of a log, the oldest first."""
    good = Replica.objects.filter(file=log.file_id, state=Replica.State.AVAILABLE)
    return [replica.storage for replica in good.select_related("storage").order_by("pk")]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A log at a storage element, open for reading; whoever has it closes it."""

    size: int
    handle: StoredFile


def opened(log: AnyJobFile, held_by: Sequence[StorageElement]) -> Opened:
    """The log at the first storage element that gives it; NotThere when none does."""
    for element in held_by:
        try:
            handle = open_file(element.address, path_of(log.scope, log.lfn))
            return Opened(size=handle.size, handle=handle)
        except StorageError:
            continue  # another element may have it
    raise NotThere(f"no storage element has {log.lfn} at hand")


def download(log: AnyJobFile, held_by: Sequence[StorageElement], part: Part) -> HttpResponseBase:
    """The bytes of a log as an attachment; NotThere when no storage element gives them.

    Raises RangeNotSatisfiable when the part lies behind the end.
    """
    found = opened(log, held_by)
    return _answer(log.lfn, found.size, found.handle, part)


def _answer(name: str, size: int, handle: StoredFile, part: Part) -> HttpResponseBase:
    with ExitStack() as undo:
        undo.callback(handle.close)
        left = size - part.offset
        if left < 0:
            words = f"offset {part.offset} is behind the end: {name} has {size} bytes"
            raise RangeNotSatisfiable(words, size=size)
        asked = span_of(part.range, size=left)
        span = asked or Span(0, left)
        if part.only_headers:
            return _with_headers(HttpResponse(content_type=GZIP), name, span.length)
        handle.seek(part.offset + span.start)
        undo.pop_all()  # the answer closes it
    response = StreamingHttpResponse(
        _chunks(handle, span.length), content_type=GZIP, status=206 if asked else 200
    )
    if asked:
        response.headers["Content-Range"] = asked.content_range(left)
    return _with_headers(response, name, span.length)


def _with_headers(response: HttpResponseBase, name: str, length: int) -> HttpResponseBase:
    """What makes it an attachment, and harmless where it is opened all the same."""
    response.headers["Content-Length"] = str(length)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _chunks(handle: StoredFile, length: int) -> Iterator[bytes]:
    with handle:
        while length and (chunk := handle.read(min(CHUNK, length))):
            length -= len(chunk)
            yield chunk
