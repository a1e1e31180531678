"""The words of the pages: time windows, kinds of jobs, columns and what each of them means."""

from __future__ import annotations

import datetime as dt

from jobs.labels import ANALYSIS
from jobs.nodes import LATELY
from jobs.states import JobState
from pandasite.base.clock import full_hour

NONE = "-"  # as a filter's value: has no cloud, has no site; no name may start with it

WINDOWS = {1: "1 h", 3: "3 h", 12: "12 h", 24: "24 h", 72: "3 d", 168: "7 d", 720: "30 d"}  # hours
DEFAULT_HOURS = 12

# Which prodSourceLabels the pages show together.
KINDS: dict[str, tuple[str, ...]] = {
    "production": ("managed",),
    "analysis": tuple(sorted(ANALYSIS)),
    "test": ("prod_test", "test"),
    "install": ("install", "software"),
}

# A job of these states that nothing has touched for so many hours is stale.
STALE_HOURS = {JobState.ACTIVATED: 12, JobState.RUNNING: 12, JobState.TRANSFERRING: 36}
IDLE_HOURS = 24  # a site that had no job for longer is idle
PILOT_HOURS = int(LATELY.total_seconds()) // 3600

STATE_HELP = {
    JobState.DEFINED: "submitted, waits for a site to be chosen",
    JobState.WAITING: "waits for an input file that is not known anywhere yet",
    JobState.ASSIGNED: "has a site, its input is on the way there",
    JobState.ACTIVATED: "all input is at the site, waits for a pilot",
    JobState.SENT: "handed to a pilot that has not answered yet",
    JobState.STARTING: "the pilot prepares it",
    JobState.RUNNING: "the payload runs and sends heartbeats",
    JobState.HOLDING: "the pilot is done, the outputs are being registered",
    JobState.TRANSFERRING: "outputs are on the way to their destination",
    JobState.FINISHED: "all is done and registered",
    JobState.FAILED: "ended with an error",
    JobState.CANCELLED: "killed before it could end by itself",
}

# The dashboard's columns in the order of its tables: key, title, meaning.
SEED_ORDER = (
    "defined", "assigned", "waiting", "activated", "sent", "starting", "running", "holding",
    "transferring", "finished", "failed", "cancelled",
)  # fmt: skip
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("nodes", "Nodes", "worker nodes whose pilots called within the window"),
    ("jobs", "Jobs", "the sum of all states"),
    ("latest", "Latest", "last change of a job's state"),
    ("pilots", f"Pilots ({PILOT_HOURS}hrs)", f"pilots that called within {PILOT_HOURS} hours"),
    *((state, state, STATE_HELP[JobState(state)]) for state in SEED_ORDER),
    ("tot", "tot %", "failed / (finished + failed) within the window"),
    ("trf", "trf %", "the part of it that the payload (transformation) caused"),
    ("other", "other %", "the rest of it: pilot, data, servers"),
)


def window_start(now: dt.datetime, hours: int) -> dt.datetime:
    """From when on ended jobs belong to the last `hours`: a full hour."""
    return full_hour(now - dt.timedelta(hours=hours))


def ago(seconds: float) -> str:
    """A span in words, one unit: `40 s`, `12 min`, `3 h`, `5 d`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0))} s"


def span(seconds: float) -> str:
    """A duration in words, two units at most: `1 h 5 min`, `42 s`."""
    left = int(max(seconds, 0))
    if not left:
        return "< 1 s"
    parts = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def plural(n: int, thing: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"
