"""The folder that the user's command runs in: the sandbox or library, unpacked."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

from jobs.trf.ends import NO_INPUT, NO_SANDBOX, Failed
from jobs.trf.unpacking import unpack
from jobs.trf.words import below, plain

WORK = "workDir"
WAITS = (2.0, 10.0, 0.0)  # s after each try
TIMEOUT = 60.0  # s without a byte
PASSING = (408, 429)  # and all from 500 on
SHELL = "/bin/bash"
KEY = "X-Sandbox-Key"


def prepared(said: Mapping[str, str], archives: Iterable[str]) -> Path:
    """The folder to run in; `archives` are what is unpacked into the work folder before."""
    work = Path(WORK)
    work.mkdir(exist_ok=True)
    for name in archives:
        unpack(obtained(name, said), work)
    folder = below(work, said.get("-r") or ".")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def obtained(name: str, said: Mapping[str, str]) -> Path:
    """An archive: a pilot may have brought it to the job's folder; else the server has it."""
    path = Path(plain(name))
    if path.exists():
        return path
    if "--noTarballDownload" in said or "--sourceURL" not in said:
        raise Failed(NO_SANDBOX, f"{name} is not in the job's folder")
    url = f"{said['--sourceURL'].rstrip('/')}/cache/{urllib.parse.quote(name)}"
    if not url.startswith(("http://", "https://")):
        raise Failed(NO_SANDBOX, f"{url[:120]} is not HTTP")
    key = said.get("--cacheKey", "")
    for wait in WAITS:
        problem = fetched(url, key, path)
        if not problem:
            return path
        time.sleep(wait)
    raise Failed(NO_SANDBOX, f"cannot fetch {url}: {problem}")


def fetched(url: str, key: str, path: Path) -> str:
    """What went wrong; a refusal that lasts is Failed at once."""
    part = path.with_name(f".{path.name}.part")
    # In a header: addresses are in the logs of servers.
    asked = urllib.request.Request(url, headers={KEY: key})  # noqa: S310
    try:
        with (
            urllib.request.urlopen(  # noqa: S310 - `obtained` takes HTTP only
                asked, timeout=TIMEOUT, context=trusted(url)
            ) as answer,
            open(part, "wb") as file,
        ):
            shutil.copyfileobj(answer, file, 1024 * 1024)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code < 500 and error.code not in PASSING:
            raise Failed(NO_SANDBOX, f"cannot fetch {url}: status {error.code}") from error
        return f"status {error.code}"
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        return str(error)
    os.replace(part, path)
    return ""


def trusted(url: str) -> ssl.SSLContext | None:
    """The system's certificates, and those of the grid where the node has them."""
    if not url.startswith("https://"):
        return None
    context = ssl.create_default_context()
    if os.path.isdir(folder := os.environ.get("X509_CERT_DIR", "")):
        context.load_verify_locations(capath=folder)
    return context


def cleared(sandbox: str = "") -> None:
    """Leave nothing of it where the pilot makes the log of what lies about."""
    shutil.rmtree(WORK)
    if sandbox:
        Path(sandbox).unlink(missing_ok=True)


def linked(inputs: Iterable[str], folder: Path) -> None:
    """Put the inputs, which lie in the job's folder, beside the command."""
    for name in inputs:
        source = Path(plain(name)).absolute()
        if not source.exists():
            raise Failed(NO_INPUT, f"the input {name} is not in the job's folder")
        target = folder / name
        if not os.path.lexists(target):
            target.symlink_to(source)


def shell(command: str, folder: Path) -> int:
    """Run the user's line; its exit code, 128 + n where it died of the signal n."""
    print(f"=== {command}", flush=True)
    program = SHELL if os.path.exists(SHELL) else "/bin/sh"
    status = subprocess.run([program, "-c", command], cwd=folder, check=False).returncode
    print(f"=== exit code {status}", flush=True)
    return 128 - status if status < 0 else status
