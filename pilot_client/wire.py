"""What the server says about a job, checked before anything is done with it.

Names that become paths are checked here, so that no later module has to ask whether a file name
leads out of the job's folder or out of the storage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pilot_client import xrootd
from pilot_client.errors import JobFailed, PilotCode
from pilot_client.remote import SCHEMES, Remote

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,249}")
PATH = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._+-]*)+")  # of an address here, with no `..` in it
Fields = Mapping[str, Any]
T = TypeVar("T")


class BadAnswer(JobFailed):
    """The answer lacks a field or holds one that cannot be used."""

    def __init__(self, sentence: str) -> None:
        super().__init__(PilotCode.PILOT_PROBLEM, f"the server's answer {sentence}")


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to run one attempt of one job; every report carries it."""

    panda_id: int
    attempt_nr: int
    token: str
    lease_seconds: float
    heartbeat_seconds: float

    @classmethod
    def of(cls, answer: Fields) -> Lease:
        """Read it from a job answer."""
        return cls(
            panda_id=need(answer, "panda_id", int),
            attempt_nr=need(answer, "attempt_nr", int),
            token=need(answer, "lease_token", str),
            lease_seconds=number(answer, "lease_seconds", default=7200),
            heartbeat_seconds=number(answer, "heartbeat_seconds", default=1800),
        )

    @property
    def name(self) -> str:
        """PandaID and attempt, as folders and log lines name the job."""
        return f"{self.panda_id}.{self.attempt_nr}"

    def __repr__(self) -> str:
        return f"Lease({self.name})"  # the token must not reach a log by way of a traceback


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file that lies at the local storage; size in bytes, adler32 as 8 hex digits.

    `url` is signed for this file, where the storage wants that.
    """

    lfn: str
    path: PurePosixPath
    size: int | None
    adler32: str | None
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Output:
    """A file to bring to the local storage; `path` is relative to its root, `url` as of inputs."""

    lfn: str
    path: PurePosixPath
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file that the server itself has: below its own address, and never elsewhere."""

    name: str
    path: str
    sha256: str
    size: int
    key: str = field(default="", repr=False)  # opens it; of a log it is no part


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to run: memory and disk in MB, time in s; 0 means that there is no limit.

    Release and platform are empty where any will do.
    """

    transformation: PurePosixPath
    label: str
    parameters: str
    release: str
    cmt_config: str
    core_count: int
    memory_mb: int
    disk_mb: int
    max_seconds: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    log: Output | None
    storage: Path | Remote
    program: Fetched | None = None
    sandbox: Fetched | None = None

    @classmethod
    def of(cls, answer: Fields, *, secret: Path | None = None) -> Job:
        """Read it from a job answer; raises BadAnswer or JobFailed with what is wrong.

        `secret` is the file with the credentials of a storage that is not mounted.
        """
        log = answer.get("log_file")
        return cls(
            transformation=relative(need(answer, "transformation", str)),
            label=str(answer.get("prod_source_label") or ""),
            parameters=str(answer.get("job_parameters") or ""),
            release=segment(str(answer.get("atlas_release") or "")),
            cmt_config=segment(str(answer.get("cmt_config") or "")),
            core_count=int(number(answer, "core_count", default=1)),
            memory_mb=int(number(answer, "min_ram_count", default=0)),
            disk_mb=int(number(answer, "max_disk_count", default=0)),
            max_seconds=int(number(answer, "max_cpu_count", default=0)),
            inputs=tuple(input_of(entry) for entry in entries(answer, "input_files")),
            outputs=tuple(output_of(entry) for entry in entries(answer, "output_files")),
            log=output_of(log) if isinstance(log, dict) and log.get("lfn") else None,
            storage=storage_of(answer.get("storage"), secret=secret),
            program=fetched_of(answer, "program", under="/trf/"),
            sandbox=fetched_of(answer, "sandbox", under="/cache/"),
        )


def input_of(entry: Fields) -> Input:
    """One input file."""
    size = entry.get("size")
    return Input(
        lfn=file_name(need(entry, "lfn", str)),
        path=relative(need(entry, "path", str)),
        size=size if isinstance(size, int) else None,
        adler32=checksum(entry.get("adler32")),
        url=signed(entry),
    )


def output_of(entry: Fields) -> Output:
    """One output file, or the log file."""
    return Output(
        lfn=file_name(need(entry, "lfn", str)),
        path=relative(need(entry, "path", str)),
        url=signed(entry),
    )


def fetched_of(answer: Fields, name: str, *, under: str) -> Fetched | None:
    """A file of the server's, in its folder `under`; None where the job needs none."""
    entry = answer.get(name)
    if not isinstance(entry, dict):
        return None
    file = file_name(need(entry, "name", str))
    path = need(entry, "path", str)
    if not path.startswith(under) or not path.endswith(f"/{file}") or not PATH.fullmatch(path):
        raise BadAnswer(f"names a path {path[:80]!r} for its {name}")
    return Fetched(
        name=file,
        path=path,
        sha256=need(entry, "sha256", str),
        size=need(entry, "size", int),
        key=str(entry.get("key") or ""),
    )


def signed(entry: Fields) -> str:
    """The signed address of a file, empty where it has none."""
    url = entry.get("url") or ""
    if not isinstance(url, str) or (url and not url.startswith(("https://", "http://"))):
        raise BadAnswer("has an address that is not HTTP")
    return url


def need(fields: Fields, name: str, kind: type[T]) -> T:
    """The field, which must be there and of this type."""
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadAnswer(f"has no usable field {name}")
    return value


def number(fields: Fields, name: str, *, default: float) -> float:
    """A number from 0 on; missing or null is the default."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise BadAnswer(f"has no usable number in {name}")
    return value


def entries(fields: Fields, name: str) -> list[Fields]:
    """A list of objects; missing or null is empty."""
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BadAnswer(f"has no usable list {name}")
    return value


def file_name(text: str) -> str:
    """A logical file name that is also safe as a name in the job's folder."""
    if not FILE_NAME.fullmatch(text) or ".." in text:
        raise BadAnswer(f"names a file {text[:80]!r}, which is not allowed")
    return text


def segment(text: str) -> str:
    """One step of a path: a release or a platform; empty where the job leaves it open."""
    if text and len(relative(text).parts) != 1:
        raise BadAnswer(f"names {text[:80]!r}, which is not one step of a path")
    return text


def relative(text: str) -> PurePosixPath:
    """A path that stays under the folder it is joined to."""
    path = PurePosixPath(text)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise BadAnswer(f"names a path {text[:80]!r}, which leads elsewhere")
    return path


def checksum(value: object) -> str | None:
    """An adler32 as 8 small hex digits, with or without the `ad:` of the catalogues."""
    if not isinstance(value, str) or not value:
        return None
    return value.removeprefix("ad:").lower().zfill(8)


def storage_of(storage: object, *, secret: Path | None) -> Path | Remote:
    """The site's storage: a folder that this node must have mounted, WebDAV, S3 or XRootD.

    What follows `file://` is a path as it is, blank and percent sign included: the server's
    transfer engine takes it so, too.
    """
    if not isinstance(storage, dict):
        raise JobFailed(PilotCode.NO_STORAGE, "the site has no local storage")
    url = need(storage, "url", str)
    protocol, _, path = url.partition("://")
    if protocol == "file" and path.startswith("/"):
        return Path(path)
    if protocol in SCHEMES:
        return Remote(url=f"{SCHEMES[protocol]}://{path}".rstrip("/"), secret=secret)
    if protocol == "s3":
        return Remote()
    if protocol in ("root", "roots"):
        if lacking := xrootd.missing():
            words = f"storage {url[:120]!r} needs {' and '.join(lacking)} on this node"
            raise JobFailed(PilotCode.NO_PROTOCOL, words)
        return xrootd.XRootD(url=url, secret=secret)
    raise JobFailed(
        PilotCode.NO_PROTOCOL,
        f"storage {url[:120]!r} is neither a mounted file:// folder nor dav://, davs://, s3://, "
        "root:// or roots://",
    )
