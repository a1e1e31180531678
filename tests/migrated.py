"""The migrations run once for all workers, in the product's own database of the test servers.

They begin with the session, beside the collection of the tests, and each worker has a copy.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

from django.conf import settings

NAME = "migrated.lock"


def begin() -> subprocess.Popen[bytes]:
    """Held until it ends, however it ends, is the lock that `wait` waits for."""
    with (settings.PANDASITE_HOME.run / NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.Popen(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=settings.BASE_DIR,
            pass_fds=[lock.fileno()],
            # A machine that is slow enough takes longer from one statement to the next.
            env=os.environ | {"PANDASITE_STATEMENT_SECONDS": "0"},
        )


def wait() -> str:
    """The database to copy. One that broke off is copied, too: the worker goes on, and says why."""
    with (settings.PANDASITE_HOME.run / NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    return str(settings.DATABASES["default"]["NAME"])
