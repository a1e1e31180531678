"""Ends what `up` started."""

import os
import signal
from collections.abc import Callable

from pandasite.embedded.home import Home
from pandasite.launcher.errors import LaunchError
from pandasite.launcher.state import Hold, await_end, end_processes

PATIENCE = 35.0  # the launcher itself needs up to 30 s


def bring_down(home: Home, *, say: Callable[[str], None]) -> bool:
    """Ends a living launcher in order, or the leftovers of a killed one; False: nothing ran.

    Processes are named by number and start time, never by their name. Raises LaunchError when a
    launcher does not end.
    """
    if not home.run.is_dir():
        return False
    hold = Hold(home.run)
    record = hold.read()
    if hold.is_taken():
        if record is None or record.launcher.process() is None:
            raise LaunchError("pandasite is just starting; try again in a moment.")
        _end_launcher(record.launcher.pid)
        if not await_end(record.launcher, seconds=PATIENCE):
            raise LaunchError(f"The launcher (process {record.launcher.pid}) does not end.")
        say(f"ended pandasite (process {record.launcher.pid})")
        return True
    ended = end_processes(record.children, seconds=10.0) if record else []
    if ended:
        say(f"ended what a killed launcher left: {', '.join(ended)}")
    hold.record_path.unlink(missing_ok=True)
    return bool(ended)


def _end_launcher(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile
