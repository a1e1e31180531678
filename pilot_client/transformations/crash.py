#!/usr/bin/env python3
"""Die of a segmentation fault, as a broken payload does: the demo needs a true one to show.

usage: crash.py [--after-seconds 1]
"""

import argparse
import ctypes
import resource
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--after-seconds", type=float, default=1.0, help="how long to look healthy")
    parser.add_argument("--output", help="taken for the form's sake, never written")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the fault is wanted, its core dump is not
    print("reading the detector geometry", flush=True)
    time.sleep(args.after_seconds)
    print("following a null pointer", flush=True)
    ctypes.string_at(0)


if __name__ == "__main__":
    main()
