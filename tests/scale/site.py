"""PostgreSQL and a broker as a site brings them, and any number of hosts that are told of them.

A host is an address of the loopback network with a web server and two workers, one of them with a
beat. It knows nothing of the other hosts: it has a folder, and the settings of production.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import requests
from django.contrib.auth.models import Permission
from pytest_django import DjangoDbBlocker

from jobs import identity
from jobs.models import Job
from jobs.states import FINAL, JobState
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings
from pandasite.embedded.servers import Servers
from pandasite.embedded.valkey import broker_url
from pandasite.launcher.bind import Bind, url_of
from pandasite.launcher.stack import WORKERS
from tests import migrated
from tests.builders import create_cloud, create_site, create_storage, create_vo
from tests.flow.installation import STOP_SECONDS, data_folder, eventually
from tests.flow.processes import Family
from tests.scale.pilots import Manager
from tests.site_base import SiteOfPieces, web, worker

PLACE = "SCALE"  # the site, in the field's sense, that all jobs run at
SWEEP_SECONDS = 1
LIMITS = {
    "PANDASITE_SWEEP_SECONDS": str(SWEEP_SECONDS),
    "PANDASITE_RETRY_AFTER_SECONDS": "10",
    "PANDASITE_CLOSE_MINUTES": "0",
    "PANDASITE_MONITOR_PUBLIC": "1",
    "SECURE_SSL_REDIRECT": "0",
    "ALLOWED_HOSTS": "127.0.0.1,127.0.0.2,127.0.0.3",
    "LOG_LEVEL": "WARNING",
}
READY_SECONDS = 300.0  # on a busy machine
END_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine with its web server and workers, by the name of each."""

    name: str
    url: str
    pieces: Mapping[str, subprocess.Popen[bytes]]

    def kill(self) -> None:
        """It is gone from one moment to the next."""
        for piece in self.pieces.values():
            piece.kill()
        for piece in self.pieces.values():
            piece.wait()

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz/live", timeout=5).ok
        except requests.RequestException:
            return False


class ScaleSite(SiteOfPieces):
    """The servers that all hosts share."""

    def __init__(self, path: Path, *, family: Family, blocker: DjangoDbBlocker) -> None:
        super().__init__(path, family=family, blocker=blocker)
        self.keys = Keys.of(self.home.secrets)
        self._servers = Servers.of(self.home, durable=False)
        self.pilot_token = self.manager_token = ""

    def bring_up(self) -> None:
        """Servers, tables, a place to work at, and who may submit and claim."""
        for command in self._servers.commands():
            self.start_process(command, self.home.logs / f"{command.name}.log")
        eventually(self._servers.ready, seconds=READY_SECONDS)
        migrated.copy_to(self.home)
        disk = self.home.path / "disk"
        disk.mkdir()
        with self.books():
            place = create_site(PLACE, cloud=create_cloud("US"), with_storage=False)
            room = {"capacity_bytes": 10**15, "threshold_gb": 0}
            create_storage(f"{PLACE}_DISK", url=f"file://{disk}", sites=[place], **room)
            create_vo("atlas")
            self.pilot_token = identity.new_pilot_token(place)
            manager = identity.person("manager")
            words = ["submit_production", "kill_any_job"]
            manager.user_permissions.set(Permission.objects.filter(codename__in=words))
            self.manager_token = identity.new_token(manager, days=1)

    def clear(self) -> None:
        """Ends the servers in order; whatever else is left is killed."""
        for command, server in zip(self._servers.commands(), self._started, strict=False):
            server.send_signal(command.stop_signal)
        for started in self._started[len(self._servers.commands()) :]:
            started.kill()
        for started in self._started:
            started.wait(STOP_SECONDS)

    # -- hosts -----------------------------------------------------------------------------

    def environment(self, host: str, database: str = "") -> dict[str, str]:
        """The settings of a host; `database`: another way to it than the straight one."""
        folder = self.home.path / f"host-{host}"
        folder.mkdir(exist_ok=True)
        fixed = {
            "DJANGO_SETTINGS_MODULE": "pandasite.settings",
            "DATABASE_URL": database or self.database_url(str(self._servers.postgres.sockets)),
            "BROKER_URL": broker_url(self.home, self.keys),
            "SECRET_KEY": self.keys.secret_key,
            "PANDASITE_HOST": host,
            "PANDASITE_DATA": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        return dict(os.environ) | LIMITS | fixed

    def database_url(self, socket_folder: str, port: int = 5432) -> str:
        """The database by way of a unix socket in this folder."""
        entry = database_settings(self.home, self.keys)
        user, password, name = (quote(str(entry[key])) for key in ("USER", "PASSWORD", "NAME"))
        return f"postgres://{user}:{password}@{quote(socket_folder, safe='')}:{port}/{name}"

    def start_host(self, name: str, address: str, environment: Mapping[str, str]) -> Host:
        """Start a host; it need not be ready yet."""
        listener = Bind(host=address, port=0).listen()
        commands = [
            web(listener.fileno(), environment=environment),
            *(worker(w, *o, at=name, environment=environment) for w, o in WORKERS.items()),
        ]
        pieces = {
            command.name: self.start_process(command, self.log_of(name, command.name))
            for command in commands
        }
        url = url_of(listener).rstrip("/")
        listener.close()  # the web server has it; after its death nobody listens
        return Host(name=name, url=url, pieces=pieces)

    def await_hosts(self, *hosts: Host) -> None:
        """Until each of them answers."""
        for host in hosts:
            what = partial(self.complaints, host.name)
            eventually(host.answers, seconds=READY_SECONDS, what=what)

    def log_of(self, host: str, piece: str) -> Path:
        return self.home.logs / f"{host}-{piece}.log"

    def complaints(self, host: str) -> str:
        """The ends of its logs."""
        logs = self.home.logs.glob(f"{host}-*.log")
        return "\n".join(log.read_text(encoding="utf-8", errors="replace")[-2000:] for log in logs)

    def manage(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """What a management command says, as an administrator gives it."""
        usual = self.environment("admin") | {"PANDASITE_STATEMENT_SECONDS": "0"}
        return self.run_manage(*words, environment=environment or usual)

    # -- jobs ------------------------------------------------------------------------------

    def manager(self, host: Host) -> Manager:
        """Who submits, by way of this host."""
        return Manager(host.url, self.manager_token)

    def states(self, panda_ids: list[int]) -> list[str]:
        with self.books():
            found = Job.objects.filter(pk__in=panda_ids).order_by("pk")
            return list(found.values_list("state", flat=True))

    def await_state(self, panda_ids: list[int], state: JobState) -> None:
        """Until all of these jobs are in it."""
        wanted = [str(state)] * len(panda_ids)
        eventually(
            lambda: self.states(panda_ids) == wanted,
            seconds=END_SECONDS,
            what=lambda: f"{self.states(panda_ids)} {self.sweep_errors()}",
        )

    def live_jobs(self) -> list[int]:
        with self.books():
            return list(Job.objects.exclude(state__in=FINAL).values_list("pk", flat=True))


@contextmanager
def scale_site(blocker: DjangoDbBlocker) -> Iterator[ScaleSite]:
    """Servers that are up; they and all hosts are gone at the end."""
    with data_folder() as path:
        site = ScaleSite(path, family=Family(), blocker=blocker)
        try:
            site.bring_up()
            yield site
        finally:
            site.clear()


@contextmanager
def hosts(site: ScaleSite, *found: Host) -> Iterator[tuple[Host, ...]]:
    """These hosts, ready; gone at the end."""
    try:
        site.await_hosts(*found)
        yield found
    finally:
        for host in found:
            host.kill()
