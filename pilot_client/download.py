"""Download: the program and the sandbox of a job, from the pilot's own server and no other.

The payload may have no network and has no token, so the pilot fetches for it. What comes is what
the claim said, to the byte, or the job fails.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import requests

from pilot_client import VERSION
from pilot_client.errors import JobFailed, PilotCode
from pilot_client.folder import JobFolder
from pilot_client.server import PASSING, TIMEOUTS, Server, TokenAuth
from pilot_client.wire import Fetched, Job

log = logging.getLogger(__name__)

PIECE = 256 * 1024
HEADERS = {"User-Agent": f"pandasite-pilot/{VERSION}", "Accept-Encoding": "identity"}
TRIES = (1.0, 5.0, 15.0, 0.0)  # s to wait after each try


class Passing(Exception):
    """Another try may go well."""


def bring(*, job: Job, folder: JobFolder, server: Server, pause: Callable[[float], None]) -> None:
    """Both, where the job needs them; `pause` waits, or raises to end it."""
    if job.program is not None:
        target = folder.program(job.program.name)
        fetch(job.program, server=server, target=target, pause=pause)
        target.chmod(0o755)
    if job.sandbox is not None:
        target = folder.work / job.sandbox.name
        fetch(job.sandbox, server=server, target=target, pause=pause)


def fetch(wanted: Fetched, *, server: Server, target: Path, pause: Callable[[float], None]) -> None:
    """One file. Raises JobFailed when it cannot be had."""
    for wait in TRIES:
        try:
            once(wanted, server=server, target=target, check=lambda: pause(0))
        except (Passing, requests.RequestException) as error:
            reason = str(error) if isinstance(error, Passing) else type(error).__name__
            log.warning("download: %s: %s", wanted.name, reason)
            target.unlink(missing_ok=True)
            pause(wait)
        else:
            log.info("download: %s, %d bytes", wanted.name, wanted.size)
            return
    raise failed(wanted, reason)


def once(wanted: Fetched, *, server: Server, target: Path, check: Callable[[], None]) -> None:
    """Write it down as it comes; more than was said is not read."""
    digest, size = hashlib.sha256(), 0
    with (
        requests.Session() as session,
        session.get(
            f"{server.url.rstrip('/')}{wanted.path}",
            headers=HEADERS | ({"X-Sandbox-Key": wanted.key} if wanted.key else {}),
            auth=TokenAuth(server.token()),
            timeout=TIMEOUTS,
            allow_redirects=False,
            stream=True,
        ) as response,
        open(target, "wb") as file,
    ):
        check_status(wanted, response.status_code)
        for piece in response.iter_content(PIECE):
            check()
            size += len(piece)
            if size > wanted.size:
                break
            digest.update(piece)
            file.write(piece)
    if size < wanted.size:
        raise Passing(f"{size} bytes of {wanted.size} came")
    if size > wanted.size or digest.hexdigest() != wanted.sha256:
        raise failed(wanted, "what the server sent is not what it announced")


def check_status(wanted: Fetched, status: int) -> None:
    """Only a 200 brings the file."""
    if status in PASSING or status >= requests.codes.internal_server_error:
        raise Passing(f"status {status}")
    if status != requests.codes.ok:
        raise failed(wanted, f"the server answers {status}")


def failed(wanted: Fetched, reason: str) -> JobFailed:
    """The end of the job."""
    return JobFailed(PilotCode.NOT_DOWNLOADED, f"{wanted.name}: {reason}")
