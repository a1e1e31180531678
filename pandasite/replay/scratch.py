"""A simulated replay, in an installation of its own that is gone afterwards."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import django

from pandasite.embedded.home import temporary_home
from pandasite.replay import swf
from pandasite.replay.work import Work, work_of

OURS = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "LOG_LEVEL")


def main() -> int:
    """Exit code 0 when every job of the log went through once, 1 when not, 2 for a bad log."""
    options = _options()
    begun = time.monotonic()
    try:
        log = swf.read(options.file)
    except (swf.BadLog, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.jobs:
        log = swf.first(log, options.jobs)
    work = work_of(log, scale=options.scale, slots=options.slots)
    say(f"{len(work.jobs):,} jobs, {len(work.slots)} sites with {sum(work.slots.values()):,} slots")
    if log.acknowledged:
        say(f"thanks to {log.acknowledged}, as the log asks")
    home = temporary_home()
    try:
        _point_settings_at(home.path)
        return _replay(work, options.json, begun, direct=options.direct)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(home.path, ignore_errors=True)


def say(line: str) -> None:
    """Seen at once, also through a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="replay", description=main.__doc__)
    add_options(parser)
    return parser.parse_args()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those that this and `manage.py replay_swf` have in common."""
    parser.add_argument("file", type=Path, help="a log in the Standard Workload Format, or .gz")
    parser.add_argument("--scale", type=_factor, default=1.0, help="how many times as fast")
    parser.add_argument("--slots", type=_positive, help="of each site; else the log's peak there")
    parser.add_argument("--jobs", type=_positive, help="only the first so many")
    parser.add_argument(
        "--direct", action="store_true", help="without prodDB and Bamboo: submitted as by a user"
    )
    parser.add_argument("--json", type=Path, help="write the numbers of a simulation there")


def _factor(text: str) -> float:
    number = float(text)
    if not 0.001 <= number <= 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not from 0.001 to 1000000")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 10000000")
    return number


def _point_settings_at(folder: Path) -> None:
    for name in [*os.environ]:
        if name in OURS or name.startswith("PANDASITE_"):
            del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "pandasite.settings",
        "PANDASITE_DATA": str(folder),
        "PANDASITE_BIND": "127.0.0.1:0",
        "PANDASITE_STATEMENT_SECONDS": "0",
        "PANDASITE_EVENT_QUEUE": "0",
        # What waits too long at a small site is sent elsewhere, and not given up.
        "PANDASITE_QUEUE_DAYS": "365",
        "PANDASITE_ACTIVATED_DAYS": "1",
        "PANDASITE_REBROKER_MAX": "100",
        "LOG_LEVEL": "WARNING",
    }
    django.setup()


def _replay(work: Work, json_file: Path | None, begun: float, *, direct: bool) -> int:
    from django.db import connection  # all of these need the settings

    from pandasite.launcher.stack import Stack
    from pandasite.replay import outcome
    from pandasite.replay.run import simulate

    with Stack(say=say, site=()) as stack:
        connection.close()  # what is lost with the power is no loss
        connection.settings_dict["OPTIONS"]["options"] = "-c synchronous_commit=off"
        simulation = simulate(work, say=say, stopped=lambda: stack.stopping, direct=direct)
        if stack.stopping:
            say("stopped before the end")
            return 130
        found = outcome.judge(simulation)
    for line in outcome.lines(found):
        say(line)
    machine: dict[str, Any] = {
        "wall_seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time(),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "spent_seconds": {name: round(s, 1) for name, s in sorted(simulation.spent.items())},
    }
    say("")
    say(
        f"the replay took {machine['wall_seconds'] / 60:.1f} min"
        f" ({machine['cpu_seconds'] / 60:.1f} min of CPU here, the rest in the database)"
        f" and {machine['memory_mb']:.0f} MB"
    )
    say(f"seconds by what was done: {machine['spent_seconds']}")
    if json_file is not None:
        json_file.write_text(json.dumps(found.as_json() | machine, indent=1), encoding="utf-8")
    return 0 if found.is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
