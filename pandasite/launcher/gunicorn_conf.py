"""How gunicorn serves the site; read by gunicorn itself (`--config python:...`)."""

import resource
import signal
import socket
import sys
from typing import Any

from pandasite.embedded.process import die_with_parent

OPEN_FILES = 8192  # wanted; as many systems give a process 1,024 unless it asks for more
FILES_OF_OURS = 128  # at most: code, logs, the database, the broker
SILENT_SECONDS = 30


def open_files() -> int:
    """How many files this process may have open, after asking for as many as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


wsgi_app = "pandasite.wsgi:application"
worker_class = "gthread"
workers = 2
threads = 8
preload_app = True  # one import for both workers: half the start, shared memory
timeout = 60
graceful_timeout = 8  # below the launcher's patience
# An idle connection costs its worker a file and some 5 KB, no thread. When a worker has as many as
# this it accepts no others, so there must be room for all that come within `keepalive` seconds; a
# worker that cannot open another file ends.
keepalive = 5
worker_connections = min(4000, open_files() - FILES_OF_OURS)
# Bytes: the most that gunicorn takes (0 would be no bound). A longer address is refused by it, in
# its own words.
limit_request_line = 8190
# Headers: so many, each of so many bytes; browsers and proxies send some twenty.
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # whom to believe about TLS is a setting of ours, off by default
control_socket_disable = True  # it would be opened in the home folder
proc_name = "pandasite-web"


def when_ready(server: Any) -> None:
    """Leaves a connection with the kernel until its first byte is there. Linux only.

    To gunicorn a new connection is worth a thread for five seconds, also while it says nothing:
    sixteen silent ones would keep everybody else waiting.
    """
    if sys.platform == "linux":
        for listener in server.LISTENERS:
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_SECONDS)


def post_fork(server: object, worker: Any) -> None:
    """A killed gunicorn takes its workers along; they end the requests they have."""
    die_with_parent(signal.SIGTERM, parent=worker.ppid)
