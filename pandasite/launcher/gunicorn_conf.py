"""How gunicorn serves the site; read by gunicorn itself (`--config python:...`)."""

import signal
from typing import Any

from pandasite.embedded.process import die_with_parent

wsgi_app = "pandasite.wsgi:application"
worker_class = "gthread"
workers = 2
threads = 8
preload_app = True  # one import for both workers: half the start, shared memory
timeout = 60
graceful_timeout = 8  # below the launcher's patience
keepalive = 5
# Bytes: the most that gunicorn takes (0 would be no bound). A longer address is refused by it, in
# its own words.
limit_request_line = 8190
# Headers: so many, each of so many bytes; browsers and proxies send some twenty.
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # whom to believe about TLS is a setting of ours, off by default
control_socket_disable = True  # it would be opened in the home folder
proc_name = "pandasite-web"


def post_fork(server: object, worker: Any) -> None:
    """A killed gunicorn takes its workers along; they end the requests they have."""
    die_with_parent(signal.SIGTERM, parent=worker.ppid)
