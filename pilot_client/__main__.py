"""`python -m pilot_client --help` says how to start a pilot."""

import sys

from pilot_client import config, guard, logs, pilot


def main() -> int:
    """Read the command line, set up the log, run."""
    read = config.read(sys.argv[1:])
    logs.to_stderr()
    guard.become_subreaper()  # what a killed guard leaves behind comes to us
    return pilot.run(read)


if __name__ == "__main__":
    sys.exit(main())
