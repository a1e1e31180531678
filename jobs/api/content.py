"""The content of a file: upload and download, streamed."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from datasets import content, making, services
from datasets.models import Dataset, File, Replica, StorageElement
from datasets.reasons import reason_of
from datasets.registry import NewFile
from jobs.api import data_answers as answers
from jobs.api import data_reading as reading
from jobs.api.answers import documented
from jobs.api.data_names import (
    checked_adler32,
    checked_guid,
    dataset_of,
    file_name,
    file_of,
    must_own,
)
from jobs.api.views import PersonView, person_of
from pandasite.base.clock import database_now
from pandasite.base.errors import (
    BadInput,
    Conflict,
    NoRoom,
    NotThere,
    TooMuch,
    Unavailable,
    field_error,
)
from pandasite.base.json import UnsupportedBody
from pandasite.base.params import Params
from pandasite.base.views import LengthRequired, body_stream

log = logging.getLogger(__name__)
BINARY = "application/octet-stream"
PIECE = 1024 * 1024  # bytes


class ContentView(PersonView):
    """The bytes of a file."""

    @documented(
        answers={(200, BINARY): OpenApiTypes.BINARY},
        problems=(400, 404),
    )
    def get(self, request: Request, scope: str, lfn: str) -> HttpResponseBase:
        """The content, from the first replica that can be read; 503 when none can be."""
        Params(request.query_params, known=("format",))
        file = file_of(scope, lfn)
        headers = {
            "Content-Length": str(file.size),
            "Content-Disposition": f'attachment; filename="{file.lfn}"',
            "X-Content-Type-Options": "nosniff",
            "X-Adler32": file.adler32,
        }
        return StreamingHttpResponse(_whole(file), content_type=BINARY, headers=headers)

    @documented(
        request={BINARY: OpenApiTypes.BINARY},
        answers={201: answers.UploadAnswer, 200: answers.UploadAnswer},
        problems=(400, 404, 409, 411, 413, 415, 507),
        parameters=list(answers.UPLOAD_PARAMETERS),
    )
    def put(self, request: Request, scope: str, lfn: str) -> Response:
        """Store a new file; it is known only when all of it has come. 200: it was there already."""
        user = person_of(request)
        name = file_name(scope, lfn)
        must_own(user, name[0], field="scope")
        params = Params(request.query_params, known=("adler32", "dataset", "guid", "format"))
        new = NewFile(
            *name,
            checked_guid(params.text("guid") or str(uuid.uuid4())),
            _length(request),
            checked_adler32(params.text("adler32")),
        )
        dataset = _dataset(user, params.text("dataset"))
        there = File.objects.filter(scope=new.scope, lfn=new.lfn).first()
        if there is not None:
            _must_be_the_same(there, new)
            if there.replicas.filter(state=Replica.State.AVAILABLE).exists():
                return Response(reading.file_json(there) | {"replayed": True})
            new = new._replace(guid=there.guid)
        file = _store(request, _upload_storage(), new, dataset)
        log.info("uploaded", extra={"file": str(file), "user": user.get_username()})
        return Response(reading.file_json(file) | {"replayed": False}, status=201)


# -- download ----------------------------------------------------------------------------------


def _whole(file: File) -> content.Proven:
    """The content from the first replica that opens. NotThere, Unavailable when none does.

    One that turns out to be wrong breaks off; who asks again is given the next.
    """
    good = Replica.objects.filter(file=file, state=Replica.State.AVAILABLE)
    trouble = []
    for replica in good.select_related("storage").order_by("pk"):
        try:
            return content.Proven(replica.storage, file)
        except (content.StorageError, content.Wrong) as error:
            log.warning("replica_not_read", extra={"file": str(file), "error": str(error)})
            trouble.append(replica.storage.name)
    if not good.exists():
        raise NotThere(f"there is no good replica of {file}")
    message = f"{file} cannot be read now at {', '.join(trouble)}"
    raise Unavailable(message, code="replicas_away")


# -- upload ------------------------------------------------------------------------------------


def _length(request: Request) -> int:
    if (request.content_type or "").partition(";")[0].strip() != BINARY:
        raise UnsupportedBody(f"send the content as {BINARY}", code="unsupported_media_type")
    stated = request.META.get("CONTENT_LENGTH") or ""
    if not stated.isdecimal():
        raise LengthRequired("send the content with a Content-Length")
    most = settings.PANDASITE["UPLOAD_MAX_MB"] * 1_000_000
    size = int(stated[:20])
    if size > most:
        message = f"the content has {size} bytes, an upload may have {most}"
        raise TooMuch(message, code="too_large", limit={"max_bytes": most})
    return size


def _dataset(user: User, name: str) -> Dataset | None:
    if not name:
        return None
    dataset = dataset_of(name)
    must_own(user, dataset.name, field="dataset")
    making.must_be_open(dataset)
    return dataset


def _must_be_the_same(there: File, new: NewFile) -> None:
    """The same upload again is no error: its first answer may have been lost."""
    if (there.size, there.adler32) != (new.size, new.adler32):
        message = f"there is a file {there} of {there.size} bytes, adler32 {there.adler32}"
        raise Conflict(message, code="file_exists")


def _upload_storage() -> StorageElement:
    name = settings.PANDASITE_UPLOAD_STORAGE
    found = StorageElement.objects.filter(name=name).first() if name else None
    if found is None:
        what = f"there is no storage element {name}" if name else "no storage takes uploads"
        raise Unavailable(f"{what}: an administrator sets PANDASITE_UPLOAD_STORAGE")
    return found


def _store(
    request: Request, storage: StorageElement, new: NewFile, dataset: Dataset | None
) -> File:
    """Of two who bring a name at once, one has it before either's content gets the name."""
    path = content.path_of(new.scope, new.lfn)
    pieces = _pieces(request, new.size)
    try:
        with (
            content.arriving(storage, path, pieces, size=new.size, adler32=new.adler32) as publish,
            transaction.atomic(),
        ):
            now = database_now()
            file = services.register_file(
                new, storage=storage, dataset=dataset, now=now, proven=True
            )
            publish()
            return file
    except content.Wrong as error:
        field = "adler32" if "adler32" in str(error) else "content"
        fault = field_error(field, str(error), code="wrong_content")
        raise BadInput(str(error), code="wrong_content", fields=[fault]) from error
    except content.StorageError as error:
        if reason_of(str(error)) == "no space left":
            raise NoRoom(f"{storage.name} has no room for {new.size} bytes") from error
        log.error("upload_failed", extra={"storage": storage.name, "error": str(error)})
        raise Unavailable(f"{storage.name} does not take the file now") from error


def _pieces(request: Request, size: int) -> Iterator[bytes]:
    """The body; a client that goes away leaves it short."""
    stream = body_stream(request._request) if size else None
    left = size
    while stream is not None and left:
        try:
            piece = stream.read(min(PIECE, left))
        except OSError as error:
            raise content.Wrong(f"the content was cut off: {error}") from error
        if not piece:
            return
        left -= len(piece)
        yield piece
