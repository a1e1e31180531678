"""Isolation: a bubblewrap sandbox around the payload, where the machine allows one."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pilot_client.config import Config

log = logging.getLogger(__name__)

PROBE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What the payload may see: all read-only, its work folder writable, the hidden not at all.

    `readable` folders stay visible where they lie inside a hidden one; `program` is None where
    there is no sandbox.
    """

    program: str | None
    hidden: tuple[Path, ...]
    secret: Path
    readable: tuple[Path, ...]
    network: bool

    def wrap(self, argv: list[str], *, work: Path, readable: Iterable[Path] = ()) -> list[str]:
        """The command with the sandbox before it."""
        if self.program is None:
            return argv
        resolved = [path.resolve() for path in (*self.readable, *readable)]
        shown = [path for path in resolved if self._is_hidden(path)]
        return [
            *(self.program, "--die-with-parent", "--cap-drop", "ALL"),
            *("--unshare-pid", "--unshare-ipc"),
            *(() if self.network else ("--unshare-net",)),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *options("--tmpfs", (path for path in self.hidden if path.is_dir())),
            *pairs("--ro-bind", shown),
            *("--ro-bind", "/dev/null", str(self.secret)),
            *("--bind", str(work), str(work), "--chdir", str(work), "--"),
            *argv,
        ]

    def _is_hidden(self, path: Path) -> bool:
        return any(path.is_relative_to(hidden) for hidden in self.hidden)


def options(name: str, paths: Iterable[Path]) -> list[str]:
    """The option once for each path."""
    return [word for path in paths for word in (name, str(path))]


def pairs(name: str, paths: Iterable[Path]) -> list[str]:
    """The option once for each path, which stays where it is."""
    return [word for path in paths for word in (name, str(path), str(path))]


def choose(config: Config) -> Sandbox:
    """The sandbox of this pilot, tried once: containers and kernels may forbid name spaces."""
    wanted = config.isolation == "auto"
    none = Sandbox(
        program=None,
        hidden=(config.workdir, *config.hidden),
        secret=config.token_file.resolve(),
        readable=(config.software, Path(sys.prefix), Path(sys.base_prefix)),
        network=config.network,
    )
    program = shutil.which("bwrap") if wanted else None
    if program is None:
        log.info("isolation: none (%s)", "no bwrap on this node" if wanted else "as asked for")
        return none
    bwrap = replace(none, program=program)
    if refused := probe(bwrap, work=config.workdir):
        log.warning("isolation: none (bwrap does not work here: %s)", refused)
        return none
    log.info("isolation: bwrap, network %s", "shared" if config.network else "off")
    return bwrap


def probe(sandbox: Sandbox, *, work: Path) -> str:
    """Run nothing in the sandbox; the first line of what went wrong, empty if nothing did."""
    command = sandbox.wrap(["/bin/sh", "-c", ":"], work=work)
    try:
        run = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if run.returncode == 0:
        return ""
    text = run.stderr.decode(errors="replace").strip()
    return text.splitlines()[0][:200] if text else f"exit code {run.returncode}"
