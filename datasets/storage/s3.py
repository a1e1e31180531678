"""s3://: a bucket, or a part of it, at Amazon or at any service that speaks the same.

A file is put in parts that stay invisible until the upload is completed, each with its MD5, which
the service compares with what has arrived: nothing has to be read again. The adler32 is kept with
the object, so that the service can copy it on its own later.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from fsspec.asyn import sync
from s3fs import S3FileSystem

from datasets.storage import hosts
from datasets.storage.base import (
    CHUNK,
    Address,
    Copied,
    FileMissing,
    NoTape,
    SourceError,
    Space,
    StorageError,
    checked,
    words,
)
from datasets.storage.http import CONNECT_SECONDS, seconds
from datasets.storage.secrets import Secret

PART_BYTES = 16 * 1024 * 1024
PARTS_MAX = 9000
COPY_MAX = 5 * 1024**3  # bytes that the service copies in one request
ERRORS = (OSError, BotoCoreError, HTTPClientError, ClientError, aiohttp.ClientError, EOFError)


class GuardedResolver(AbstractResolver):
    """Looks at the address of each connection right before it is opened."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, hosts.addresses, host, port)
        return [
            ResolveResult(
                hostname=host, host=ip, port=port, family=10 if ":" in ip else 2, proto=0, flags=4
            )
            for ip in dict.fromkeys(found)
        ]

    async def close(self) -> None:
        return


class S3Place(NoTape):
    """A bucket with a prefix."""

    def __init__(self, address: Address, secret: Secret | None) -> None:
        self.address = address
        bucket, _, prefix = address.url.removeprefix("s3://").partition("/")
        self.bucket, self.prefix = bucket, prefix.strip("/")
        if not self.bucket:
            raise StorageError(f"{address} names no bucket")
        self.login = (address.endpoint, secret)
        self.fs = S3FileSystem(
            key=secret.user if secret else None,
            secret=secret.password if secret else None,
            anon=secret is None,
            endpoint_url=hosts.checked_url(address.endpoint) if address.endpoint else None,
            use_listings_cache=False,
            skip_instance_cache=True,
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": seconds(),
                "retries": {"total_max_attempts": 1},
                "signature_version": "s3v4",  # else signed addresses are of version 2
                "proxies": {},  # else those of the environment
                "connector_args": {"resolver": GuardedResolver()},
            },
            client_kwargs={"region_name": "us-east-1"} if address.endpoint else {},
        )
        self.fs.retries = 1  # the engine tries again, and says so

    def close(self) -> None:
        if self.fs._s3 is not None:
            S3FileSystem.close_session(self.fs.loop, self.fs._s3creator)
            self.fs._s3 = None

    def key(self, path: str) -> str:
        """The key of a path in the bucket."""
        return f"{self.prefix}/{checked(path)}".lstrip("/")

    def call(self, method: str, **about: Any) -> Any:
        """A request, in bounded time: `read_timeout` counts from the last byte."""
        arguments = {"Bucket": self.bucket, **about}
        return sync(self.fs.loop, self.fs._call_s3, method, timeout=10 * seconds(), **arguments)

    @contextmanager
    def read(self, path: str, *, offset: int = 0) -> Iterator[Iterator[bytes]]:
        what = f"cannot read at {self.address}"
        more = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            body = self.call("get_object", Key=self.key(path), **more)["Body"]
        except FileNotFoundError as error:
            kind = FileMissing if self._answers() else SourceError
            raise kind(f"{what}: {words(error)}") from error
        except ERRORS as error:
            raise SourceError(f"{what}: {words(error)}") from error
        try:
            yield self._pieces(body)
        finally:
            body.close()

    def _pieces(self, body: Any) -> Iterator[bytes]:
        while True:
            try:
                piece = sync(self.fs.loop, body.read, CHUNK, timeout=seconds() + 5)
            except ERRORS as error:
                raise SourceError(f"reading at {self.address} broke off: {words(error)}") from error
            if not piece:
                return
            yield piece

    def _answers(self) -> bool:
        try:
            self.call("head_bucket")
        except ERRORS:
            return False
        return True

    def head(self, path: str) -> dict[str, Any] | None:
        """What the service knows of an object, None where there is none."""
        try:
            return dict(self.call("head_object", Key=self.key(path)))
        except FileNotFoundError:
            return None
        except ERRORS as error:
            raise StorageError(f"cannot look at {self.address}: {words(error)}") from error

    def size(self, path: str) -> int | None:
        found = self.head(path)
        return None if found is None else int(found["ContentLength"])

    def arrive(self, path: str, *, tag: str, expected: Copied) -> S3Arrival:
        return S3Arrival(self, path, expected)

    def copy_from(self, source: S3Place, path: str, *, expected: Copied, **_more: Any) -> str:
        """Let the service copy what it knows to be right; `server`, empty when it cannot."""
        if source.login != self.login or expected.size > COPY_MAX:
            return ""
        found = source.head(path)
        known = found and found.get("Metadata", {}).get("adler32") == expected.adler32
        if found is None or not known or found["ContentLength"] != expected.size:
            return ""
        origin = {"Bucket": source.bucket, "Key": source.key(path)}
        try:
            self.call(
                "copy_object",
                Key=self.key(path),
                CopySource=origin,
                CopySourceIfMatch=found["ETag"],
                MetadataDirective="COPY",
            )
        except ERRORS as error:
            raise StorageError(f"cannot copy within {self.address}: {words(error)}") from error
        return "server" if self.size(path) == expected.size else ""

    def discard_old(self, path: str) -> None:
        key = self.key(path)
        try:
            found = self.call("list_multipart_uploads", Prefix=key)
            for upload in found.get("Uploads") or []:
                if upload["Key"] == key:
                    self.call("abort_multipart_upload", Key=key, UploadId=upload["UploadId"])
        except ERRORS as error:
            raise StorageError(f"cannot write at {self.address}: {words(error)}") from error

    def remove(self, path: str) -> None:
        try:
            self.call("delete_object", Key=self.key(path))
        except ERRORS as error:
            raise StorageError(f"cannot write at {self.address}: {words(error)}") from error

    def signed(self, path: str, *, write: bool, lasts: int) -> str:
        """An address that is good for this one file and for so many seconds, without the key."""
        method = "put_object" if write else "get_object"
        name = f"{self.bucket}/{self.key(path)}"
        try:
            return str(self.fs.url(name, expires=lasts, client_method=method))
        except ERRORS as error:
            raise StorageError(f"cannot sign for {self.address}: {words(error)}") from error

    def space(self) -> Space | None:
        return None  # S3 knows no quota: the capacity is what the administrator says


class S3Arrival:
    """Parts of an upload; a small file is put as a whole when it is published."""

    def __init__(self, place: S3Place, path: str, expected: Copied) -> None:
        self.place, self.key = place, place.key(path)
        self.about = {"Metadata": {"adler32": expected.adler32}}
        self.part_bytes = max(PART_BYTES, expected.size // PARTS_MAX + 1)
        self.buffer = bytearray()
        self.upload = ""
        self.parts: list[dict[str, Any]] = []

    def fill(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            self.buffer += piece
            while len(self.buffer) > self.part_bytes:
                self._put_part(self.part_bytes)
        if self.upload:
            self._put_part(len(self.buffer))

    def _put_part(self, length: int) -> None:
        with self._errors("write"):
            if not self.upload:
                made = self.place.call("create_multipart_upload", Key=self.key, **self.about)
                self.upload = made["UploadId"]
            body = bytes(self.buffer[:length])
            del self.buffer[:length]
            number = len(self.parts) + 1
            done = self.place.call(
                "upload_part",
                Key=self.key,
                UploadId=self.upload,
                PartNumber=number,
                Body=body,
                ContentMD5=_md5(body),
            )
            self.parts.append({"PartNumber": number, "ETag": done["ETag"]})

    def prove(self, expected: Copied) -> str:
        """The service compares the MD5 of what arrives with ours."""
        return "server"

    def publish(self) -> None:
        with self._errors("name a file"):
            if self.upload:
                self.place.call(
                    "complete_multipart_upload",
                    Key=self.key,
                    UploadId=self.upload,
                    MultipartUpload={"Parts": self.parts},
                )
                self.upload = ""
            else:
                body = bytes(self.buffer)
                self.place.call(
                    "put_object", Key=self.key, Body=body, ContentMD5=_md5(body), **self.about
                )

    def discard(self) -> None:
        self.buffer.clear()
        if not self.upload:
            return
        with self._errors("write"), suppress(FileNotFoundError):
            self.place.call("abort_multipart_upload", Key=self.key, UploadId=self.upload)
        self.upload = ""

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except ERRORS as error:
            raise StorageError(f"cannot {what} at {self.place.address}: {words(error)}") from error


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
