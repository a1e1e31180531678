"""The program that the jobs of these tests run: it leaves a trace of when it lived.

Each line of the journal says `<PandaID>.<attempt> <pid> <seconds of the monotonic clock>`, which
all processes of a machine share. A program that is killed simply says no more, so two runs of one
job overlap if and only if their lines do.

The output names its maker in the first line, and then each input with its adler32 as read.
"""

import argparse
import os
import time
import zlib
from pathlib import Path

TICK = 0.05  # s between two lines
LONGEST = 60.0  # s that it waits for a file to appear


def main() -> None:
    asked = arguments()
    me = Path(os.environ["PILOT_JOB_FOLDER"]).name  # <PandaID>.<attempt>
    live(me, asked)
    lines = [me, *(f"{lfn} {adler32(Path(lfn))}" for lfn in asked.input)]
    Path(asked.output).write_text("\n".join(lines) + "\n", encoding="ascii")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--until", type=Path, help="go on until this file exists")
    return parser.parse_args()


def live(me: str, asked: argparse.Namespace) -> None:
    """Take the time asked for, saying all the while that this attempt is alive."""
    begun = time.monotonic()
    while True:
        say(asked.journal, me)
        took = time.monotonic() - begun
        released = asked.until is None or asked.until.exists() or took > LONGEST
        if took >= asked.seconds and released:
            return
        time.sleep(TICK)


def say(journal: Path, me: str) -> None:
    """One line in one write: those of several programs do not mix."""
    line = f"{me} {os.getpid()} {time.monotonic():.3f}\n"
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def adler32(path: Path) -> str:
    summed = 1
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            summed = zlib.adler32(chunk, summed)
    return f"{summed:08x}"


if __name__ == "__main__":
    main()
