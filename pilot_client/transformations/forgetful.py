#!/usr/bin/env python3
"""End well without writing the promised output: the demo's job that loses its file.

usage: forgetful.py --output HIST._00001.npz
"""

import argparse
import sys

from jobreport import run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", required=True, help="the file that will not be written")
    args = parser.parse_args()
    print(f"all done, {args.output} is surely somewhere")
    return run(dict)


if __name__ == "__main__":
    sys.exit(main())
