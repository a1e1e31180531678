"""Archives as panda-client makes them, and archives that nobody ought to take."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from django.test import Client

from jobs.models import Sandbox
from tests.panda.calls import told

JOBO = "jobO.{:08x}-0000-4000-8000-000000000000.tar.gz"
UPLOAD = "/api/v1/file_server/upload_cache_file"
VALIDATE = "/api/v1/file_server/validate_cache_file"
TOUCH = "/api/v1/file_server/touch_cache_file"


def name(number: int = 1, kind: str = "jobO") -> str:
    return JOBO.format(number).replace("jobO", kind)


def member(path: str, **facts: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info


def archive(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """A packed tar; a pair is a file with its content."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for one in members:
            info = member(one[0], size=len(one[1]), mode=0o755) if isinstance(one, tuple) else one
            tar.addfile(info, io.BytesIO(one[1] if isinstance(one, tuple) else bytes(info.size)))
    return raw.getvalue()


GOOD = archive(("run.sh", b"#!/bin/sh\necho hello\n"))


def footer(packed: bytes) -> tuple[int, int]:
    """(size, checksum) as the client asks for them."""
    return len(packed), int.from_bytes(packed[-8:-4], "little")


def upload(
    content: bytes, file_name: str, *, by: str, path: str = UPLOAD, field: str = "file"
) -> Any:
    """As panda-client does it."""
    boundary = "3f1c9d"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{file_name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode("utf-8", "surrogateescape") + content + f"\r\n--{boundary}--\r\n".encode()
    return Client(raise_request_exception=False).generic(
        "POST",
        path,
        body,
        content_type=f"multipart/form-data; boundary={boundary}",
        HTTP_AUTHORIZATION=f"Bearer {by}",
        HTTP_ORIGIN="atlas",
        HTTP_ACCEPT="application/json",
    )


def post(path: str, values: dict[str, Any], *, by: str) -> Any:
    return Client(raise_request_exception=False).generic(
        "POST",
        path,
        json.dumps(values),
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {by}",
    )


def gzip_of(raw: bytes) -> bytes:
    return gzip.compress(raw, mtime=0)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refusal(answer: Any, folder: Path) -> str:
    """What the client shows; nothing of the file may be left."""
    body = told(answer)
    assert (answer.status_code, body["success"], body["data"]) == (200, False, None)
    assert not Sandbox.objects.exists()
    assert kept(folder) == []
    return str(body["message"])
