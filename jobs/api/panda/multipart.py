"""An upload as panda-client sends it: one file of a multipart body, streamed to the shelf."""

from __future__ import annotations

from typing import Any, Final, cast

from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from jobs.sandboxes import names
from jobs.sandboxes.archive import too_large
from jobs.sandboxes.shelf import Arrival
from pandasite.base.errors import BadInput, field_error
from pandasite.base.json import BadBody, UnsupportedBody
from pandasite.base.views import LengthRequired, body_stream

MULTIPART: Final = "multipart/form-data"
FIELD: Final = "file"
AROUND: Final = 64 * 1024  # bytes of a body besides the file
# What is left of a refused body is read, that its sender reads the answer; not if it is too much.
DRAINED: Final = 32_000_000
PIECE: Final = 256 * 1024


class Receiver(FileUploadHandler):
    """Takes one file, under a name that a sandbox may have; a DomainError ends the reading."""

    chunk_size = PIECE

    def __init__(self, request: HttpRequest, arrival: Arrival) -> None:
        super().__init__(request)
        self._arrival = arrival
        self._most = 0
        self.name = ""

    def new_file(self, field_name: str, file_name: str, *args: Any, **more: Any) -> None:
        """The head of a part; what comes before the last slash of a name is no part of it."""
        super().new_file(field_name, file_name, *args, **more)
        if field_name != FIELD or self.name:
            raise _bad(f"the body must have one part, {FIELD}")
        self.name = names.checked(file_name)
        self._most = names.limits(self.name).size

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Some of the file; nothing of it is kept in memory."""
        if start + len(raw_data) > self._most:
            raise too_large(f"{self.name} may have", self._most)
        self._arrival.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        """All of it is on the shelf, so Django gets no file."""


def receive(request: HttpRequest, arrival: Arrival) -> str:
    """Write the file of the body into `arrival`; its name. DomainErrors with the reason."""
    if request.content_type != MULTIPART:
        raise UnsupportedBody(f"a file comes as {MULTIPART}", code="unsupported_media_type")
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        raise LengthRequired("send the body with a Content-Length")
    most = names.limits("sources.").size
    if int(length[:20]) > most + AROUND:
        raise too_large("may have", most)
    receiver = Receiver(request, arrival)
    try:
        body = cast(Any, body_stream(request))
        MultiPartParser(request.META, body, [receiver]).parse()
    except MultiPartParserError as error:
        raise _bad(f"the body is no {MULTIPART}: {error}") from error
    except UnreadablePostError as error:
        raise BadBody("the body was cut off", code="incomplete_body") from error
    if not receiver.name:
        raise _bad(f"the body has no part {FIELD} with a name")
    return receiver.name


def drain(request: HttpRequest) -> None:
    """Read what is left of a body that was refused."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal() or int(length[:20]) > DRAINED:
        return
    try:
        while request.read(PIECE):
            pass
    except (UnreadablePostError, OSError):
        return  # the sender has gone


def _bad(message: str) -> BadInput:
    fault = field_error(FIELD, message, code="bad_upload")
    return BadInput(message, code="bad_upload", fields=[fault])
