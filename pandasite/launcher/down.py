"""Ends what `up` started."""

import signal
from collections.abc import Callable

from pandasite.embedded.home import Home
from pandasite.launcher.errors import LaunchError
from pandasite.launcher.state import Hold, Record, await_end, end_processes, send

PATIENCE = 35.0  # the launcher itself needs up to 30 s


def bring_down(home: Home, *, say: Callable[[str], None], patience: float = PATIENCE) -> bool:
    """Ends a living launcher in order, or the leftovers of a killed one; False: nothing ran.

    Processes are named by number and start time, never by their name. A launcher that does not
    end within `patience` seconds is killed; children that it left behind are ended.
    Raises LaunchError when one is just starting.
    """
    if not home.run.is_dir():
        return False
    hold = Hold(home.run)
    record = hold.read()
    if hold.is_taken():
        if record is None or record.launcher.process() is None:
            raise LaunchError("pandasite is just starting; try again in a moment.")
        _end_launcher(record, seconds=patience)
        say(f"ended pandasite (process {record.launcher.pid})")
        return True
    ended = end_processes(record.children, seconds=10.0) if record else []
    if ended:
        say(f"ended what a killed launcher left: {', '.join(ended)}")
    hold.record_path.unlink(missing_ok=True)
    return bool(ended)


def _end_launcher(record: Record, *, seconds: float) -> None:
    send(record.launcher.pid, signal.SIGTERM)
    if not await_end(record.launcher, seconds=seconds):
        send(record.launcher.pid, signal.SIGKILL)
    end_processes(record.children, seconds=10.0)
