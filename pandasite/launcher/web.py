"""`python -m pandasite.launcher.web --bind HOST:PORT` (or `fd://N`): serves the site with granian.

Connections, parsing and time-outs are granian's, outside of Python; a request takes one of the
threads of a worker when all of its head is there. So neither thousands of idle connections nor
those that say nothing keep anybody else waiting.
"""

from __future__ import annotations

import argparse
import copy
import gc
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import mp
from granian.server.mp import MPServer

from pandasite.base.later import LATER, Later
from pandasite.base.postgres import patience
from pandasite.embedded.process import die_with_parent
from pandasite.launcher.bind import BACKLOG, Bind
from pandasite.launcher.errors import LaunchError

WORKERS = 2
WORKERS_MOST = 64
THREADS = 8  # of each worker: so many requests at once, each with a connection to the database
THREAD_IDLE_SECONDS = 600  # granian's most; an idle thread takes its connection along
OPEN_FILES = 8192  # wanted; as many systems give a process 1,024 unless it asks for more
FILES_OF_OURS = 128  # at most: code, logs, the database, the broker
CONNECTIONS = 4000  # of each worker; others wait in the socket
HEAD_SECONDS = 30  # for the whole head of a request, and between two of them
HEAD_BYTES = 64 * 1024  # of a request's line and headers together
GRACE_SECONDS = 8  # for what is being answered at the end; below the launcher's patience
RESPAWN_SECONDS = 0.05
PARENT_SECONDS = 0.5  # between two looks of a worker whether its parent is still there
PATIENCE_SECONDS = 0.5  # more than the database's own limit, for one that cannot keep it
INHERITED = "fd://"


def main(argv: list[str] | None = None) -> None:
    """Serves until it is told to end."""
    parser, given = asked(argv, program="pandasite.launcher.web", about="The web server.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
    try:
        listener = listener_at(given.bind)
    except (LaunchError, ImproperlyConfigured) as error:
        parser.error(str(error))
    most = min(CONNECTIONS, open_files() - FILES_OF_OURS)
    server = Server(listener, workers=given.workers, connections=most)
    let_answers_come_later()
    application()  # one import for all workers: half the start, shared memory
    gc.collect()
    gc.freeze()  # it is there till the end: no worker looks through it for garbage, or copies it
    server.serve(target_loader=application_of_worker(os.getpid()), wrap_loader=False)


def asked(
    argv: list[str] | None, *, program: str, about: str
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """What a web server of ours was told: `bind` and `workers`; ends the program if it is wrong."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--bind", required=True, help="HOST:PORT, or fd://N for a socket that is")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes that answer")
    given = parser.parse_args(argv)
    if not 1 <= given.workers <= WORKERS_MOST:
        parser.error(f"--workers must be between 1 and {WORKERS_MOST}, not {given.workers}")
    return parser, given


def let_answers_come_later() -> None:
    """From now on a worker's requests have a `Later`, and their threads need not wait."""
    own = vars(mp)["_wsgi_call_wrap"]

    def wrapped(*given: Any, **more: Any) -> Callable[[Any, dict[str, Any]], Any]:
        run = own(*given, **more)

        def with_later(server: Any, environ: dict[str, Any]) -> Any:
            environ[LATER] = later = Later(server)
            return run(later, environ)

        return with_later

    vars(mp)["_wsgi_call_wrap"] = wrapped


def listener_at(bind: str) -> socket.socket:
    """The listening socket. Raises LaunchError or ImproperlyConfigured where there is none."""
    if not bind.startswith(INHERITED):
        return Bind.of(bind).listen()
    try:
        return socket.socket(fileno=int(bind.removeprefix(INHERITED)))
    except (ValueError, OSError):
        raise LaunchError(f"--bind {bind} names no socket that was handed on") from None


def open_files() -> int:
    """How many files this process may have open, after asking for as many as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


class Forgotten(dict[int, float]):
    """When which worker was made anew: not kept.

    Granian ends when a worker dies within seconds of that. Ours are made again, however often: a
    machine that kills them for their memory would else be left without a site.
    """

    def __setitem__(self, worker: int, at: float) -> None:
        """Nothing is kept."""


class Server(MPServer):
    """Granian on one listening socket for all workers.

    By itself it would open one for each of them, and what waits in the socket of a worker that is
    killed would be lost.
    """

    def __init__(self, listener: socket.socket, *, workers: int, connections: int) -> None:
        super().__init__(
            "pandasite.wsgi:application",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=workers,
            blocking_threads=THREADS,
            blocking_threads_idle_timeout=THREAD_IDLE_SECONDS,
            backpressure=connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=HEAD_SECONDS * 1000, max_buffer_size=HEAD_BYTES
            ),
            log_level=LogLevels.warning,
            log_dictconfig=copy.deepcopy(settings.LOGGING),  # else granian's takes its place
            respawn_failed_workers=True,
            respawn_interval=RESPAWN_SECONDS,
            workers_kill_timeout=GRACE_SECONDS,
        )
        self.listener = listener
        self.respawned_wrks = Forgotten()

    def _init_shared_socket(self) -> None:
        self.listener.set_inheritable(True)
        # Else the kernel keeps the second half of an answer back until the client has confirmed
        # the first, which clients put off for 40 ms.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = self.listener.fileno()
        holder = SocketHolder(number, False, BACKLOG)  # type: ignore[call-arg]
        vars(self).update(_sso=self.listener, _sfd=number, _shd=holder, _ssp=None)


def application() -> Any:
    """The WSGI application, made once in a process and its children."""
    from pandasite.wsgi import application as made

    return made


def application_of_worker(parent: int) -> Callable[[], Any]:
    """What a worker runs first; it ends with its parent, after the requests it has."""

    def load() -> Any:
        from pandasite.base import presence  # its models need Django to be set up

        die_with_parent(signal.SIGTERM, parent=parent)
        threading.Thread(target=leave_after, args=[parent], daemon=True).start()
        if settings.PANDASITE_STATEMENT_SECONDS:
            patience.begin(settings.PANDASITE_STATEMENT_SECONDS + PATIENCE_SECONDS)
        presence.announce("web")
        Finalize(None, presence.leave, exitpriority=1)  # one that ends in order is not missed
        return application()

    return load


def leave_after(parent: int) -> None:
    """Ends this worker when its parent has gone.

    The signal of the kernel is lost when it comes while granian sets its own handlers: until then
    those of the parent are there, which only take note. A worker that stayed would answer at the
    address of the next site.
    """
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
