"""A pilot of PanDA, unmodified, and how it is kept from what is not its own.

Its clean-up ends processes of its user whose parent is process 1. So it runs in a process namespace
of its own, or under a user that has no other process; and always with the switch that it has for
this, PILOT_NOKILL.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from pandasite.embedded.process import Command
from tests.pilots.isolated import may_run, may_unshare

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
# The pilot makes a process group, which the first process of a session may not.
FORKED = ("sh", "-c", '"$@"; exit $?', "sh")
SPARE_USERS = ("games", "news", "lp", "uucp", "irc", "nobody")
HEARTBEAT = 10  # s; its own is half an hour, and a kill is told at a heartbeat
JOBS = 4  # requests for a job, a minute apart


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """What stands before the pilot's own words; `user`: whom its files have to belong to.

    `why_not` when there is no way to keep a pilot to itself.
    """

    argv: tuple[str, ...] = ()
    user: str = ""
    why_not: str = ""


def isolation() -> Isolation:
    """The best way that this machine allows."""
    if may_unshare(NAMESPACE):
        return Isolation(argv=(*NAMESPACE, sys.executable))
    return _as_a_user() or Isolation(
        why_not="a pilot of PanDA ends other processes of its user, and here are neither process"
        " namespaces nor a user of its own for it"
    )


def _as_a_user() -> Isolation | None:
    """Root can be somebody else: one who has no process, and a Python that he may run."""
    user = _spare_user()
    if os.geteuid() or not user or not shutil.which("setpriv"):
        return None
    group = pwd.getpwnam(user).pw_gid
    become = ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups")
    for python in (sys.executable, "/usr/bin/python3"):
        argv = (*become, "--pdeathsig=KILL", python)
        if may_run((*argv, "-c", "import ssl")):
            return Isolation(argv=(*FORKED, *argv), user=user)
    return None


def _spare_user() -> str:
    busy = {process.info["username"] for process in psutil.process_iter(["username"])}
    for name in SPARE_USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        if name not in busy:
            return name
    return ""


@dataclass(frozen=True, kw_only=True)
class ForeignPilot:
    """One pilot: the folder of its program, its own folder, and the site that it serves.

    It calls `server`, https or http, and shows the proxy or else the token.
    """

    program: Path
    folder: Path
    isolation: Isolation
    queue: str
    server: str
    storage: Path
    token: str = ""
    proxy: bytes = b""
    authorities: Path | None = None

    def command(self, name: str) -> Command:
        """The pilot as a process; its folder is made."""
        work = self.folder / "work"
        work.mkdir(parents=True)
        program = self._program()
        (self.folder / "token").write_text(self.token, encoding="ascii")
        if self.proxy:
            self._keep_proxy()
        self._configure()
        if self.isolation.user:
            subprocess.run(["chown", "-R", self.isolation.user, str(self.folder)], check=True)
        address, _, port = self.server.rpartition(":")
        server = self.server
        argv = (
            *self.isolation.argv, str(program / "pilot.py"),
            "-d", "-a", str(work), "-q", self.queue, "-j", "user", "-i", "PR",
            "--pilot-user", "generic", "-w", "generic",
            "--url", address, "-p", port,
            "--queuedata-url", f"{server}/cache/schedconfig/{{pandaqueue}}.all.json",
            "--storagedata-url", f"{server}/cache/ddmendpoints.json",
            "--use-rucio-traces", "False", "--cleanup", "False", "-v", str(JOBS),
            "--input-destination-dir", str(self.storage),
        )  # fmt: skip
        return Command(name=name, argv=argv, env=self._environment(server), cwd=str(work))

    def _keep_proxy(self) -> None:
        """As programs that make proxies keep them: for its owner's eyes alone."""
        path = self.folder / "proxy"
        path.touch(mode=0o600)
        path.write_bytes(self.proxy)

    def _program(self) -> Path:
        """Another user may not enter the folder that it was fetched to."""
        if not self.isolation.user:
            return self.program
        copied = shutil.copytree(self.program, self.folder / "program")
        return Path(copied)

    def _configure(self) -> None:
        """Its own configuration with quicker heartbeats: it has a variable for that."""
        default = (self.program / "pilot" / "util" / "default.cfg").read_text(encoding="utf-8")
        assert "\nheartbeat: 1800\n" in default
        quick = default.replace("\nheartbeat: 1800\n", f"\nheartbeat: {HEARTBEAT}\n")
        (self.folder / "pilot.cfg").write_text(quick, encoding="utf-8")

    def _environment(self, server: str) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PILOT_NOKILL": "1",
            "LOCAL_AGIS_SCHEDCONF": f"{server}/cache/schedconfig/{self.queue}.json",
            "HARVESTER_PILOT_CONFIG": str(self.folder / "pilot.cfg"),
        } | self._credentials()

    def _credentials(self) -> dict[str, str]:
        if self.proxy:
            return {
                "X509_USER_PROXY": str(self.folder / "proxy"),
                "X509_CERT_DIR": str(self.authorities),
            }
        return {
            "PANDA_AUTH_TOKEN": "token",
            "PANDA_AUTH_ORIGIN": "panda.pilot",
            "PANDA_AUTH_DIR": f"{self.folder}/",
        }
