"""`python -m pandasite.launcher.tls --bind HOST:PORT` (or `fd://N`): the site by TLS of its own.

For grid certificates and their proxies, which web servers in front refuse or lose: gunicorn ends
the TLS, and the name of who calls comes from the socket. Programs with a token may come, too. The
port of `pandasite.launcher.web` stays what people and most pilots use.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import ssl
import time
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from pandasite.base.postgres import patience
from pandasite.embedded.process import die_with_parent
from pandasite.identity.x509.listener import Contexts, TlsFiles
from pandasite.launcher.errors import LaunchError
from pandasite.launcher.web import (
    GRACE_SECONDS,
    PATIENCE_SECONDS,
    THREADS,
    application,
    asked,
    listener_at,
)

CONNECTIONS = 1000  # of each worker; others wait in the socket
IDLE_SECONDS = 30  # until the first byte of a connection, and between two of its requests
STUCK_SECONDS = 60  # a worker that does not turn for so long is made anew


def main(argv: list[str] | None = None) -> None:
    """Serves until it is told to end."""
    parser, given = asked(argv, program="pandasite.launcher.tls", about="The TLS port.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
    try:
        files = settings.PANDASITE_TLS
        if files is None:
            parser.error("PANDASITE_TLS_CERTIFICATE, PANDASITE_TLS_KEY and PANDASITE_X509_CA: set")
        contexts = Contexts(files)
        listener = listener_at(given.bind)
    except (LaunchError, ImproperlyConfigured) as error:
        parser.error(str(error))
    except OSError as error:  # ssl.SSLError among them
        parser.error(f"the files of the TLS port cannot be used: {error}")
    # Else the kernel keeps the second half of an answer back until the client has confirmed the
    # first, which clients put off for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    application()  # Django's way to write logs comes with it
    gc.freeze()  # what is there now is there till the end: no worker looks through it, or copies it
    Site(options(files, contexts, listener, workers=given.workers)).run()


def options(
    files: TlsFiles, contexts: Contexts, listener: socket.socket, *, workers: int
) -> dict[str, Any]:
    """Gunicorn's settings, by its names."""
    return {
        "bind": [f"fd://{listener.fileno()}"],
        "workers": workers,
        "worker_class": Worker,
        "threads": THREADS,
        "worker_connections": CONNECTIONS,
        "keepalive": IDLE_SECONDS,
        "timeout": STUCK_SECONDS,
        "graceful_timeout": GRACE_SECONDS,
        "preload_app": True,  # one import for all workers: half the start, shared memory
        "certfile": str(files.certificate),
        "keyfile": str(files.key),
        "cert_reqs": int(ssl.CERT_OPTIONAL),
        "ssl_context": contexts.hook(),
        "do_handshake_on_connect": True,
        "forwarded_allow_ips": "",  # nobody stands in front of it
        "control_socket_disable": True,
        "logger_class": Log,
        "post_worker_init": _begin,
        "worker_exit": _end,
    }


class Worker(ThreadWorker):
    """Gunicorn's threads, which are for connections that have said something.

    By itself it would give one to each new connection for five seconds.
    """

    def accept(self, listener: Any) -> None:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another worker was quicker, or it has gone again
        self.nr_conns += 1
        connection = TConn(self.cfg, sock, address, listener.getsockname())
        connection.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, readable)


class Log(Logger):
    """Gunicorn's lines among all others, in their form."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = self.access_log.propagate = True


class Site(BaseApplication):
    """Gunicorn with these settings and our application; it reads no file and no command line."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.given.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return application()


def _begin(worker: Any) -> None:
    """What a worker does first; it ends with its parent, after the requests it has."""
    from pandasite.base import presence  # its models need Django to be set up

    die_with_parent(signal.SIGTERM, parent=worker.ppid)
    if settings.PANDASITE_STATEMENT_SECONDS:
        patience.begin(settings.PANDASITE_STATEMENT_SECONDS + PATIENCE_SECONDS)
    presence.announce("web", "tls")


def _end(_server: Any, _worker: Any) -> None:
    from pandasite.base import presence

    presence.leave()


if __name__ == "__main__":
    main()
