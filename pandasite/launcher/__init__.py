"""Starts, watches and ends everything that one installation needs, as children of one process.

`Stack` is the whole: servers, migrations, static files, web and workers; `manage.py up` runs it,
the demo adds its pilots to it. `Supervisor` keeps children alive, `state.py` remembers them for
`manage.py down`.
"""

from pandasite.launcher.errors import AlreadyRuns, LaunchError
from pandasite.launcher.stack import Stack
from pandasite.launcher.supervisor import Supervisor

__all__ = ["AlreadyRuns", "LaunchError", "Stack", "Supervisor"]
