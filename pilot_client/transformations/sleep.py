#!/usr/bin/env python3
"""Do nothing for so many seconds: what stands for the jobs of a replayed log.

usage: sleep.py --seconds 83
"""

import argparse
import sys
import time

from jobreport import run

LONGEST = 30 * 86_400.0


def seconds(text: str) -> float:
    """A number of seconds that a job may take."""
    number = float(text)
    if not 0 <= number <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to {LONGEST:g}")
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=seconds, required=True, help="how long to sleep")
    args = parser.parse_args()

    def work() -> dict[str, int]:
        time.sleep(args.seconds)
        return {}

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
