"""The grid of these tests: one queue with a disk, and three programs that are its input files."""

from __future__ import annotations

QUEUE = "LOCAL_Q1"
DISK = "LOCAL_DISK"
SCOPE = "user.alice"
DATASET = "user.alice.programs"
USER, PASSWORD = "alice", "correct horse battery staple"
READY = "ready.json"
DATA = "numbers.txt"
NUMBERS = "1\n2\n3\n4\n"

# A pilot runs a file of its job's folder: the program is an input like any other.
PROGRAMS = {
    "run_ok.sh": f'#!/bin/sh\nset -e\nawk \'{{s += $1}} END {{print "sum", s}}\' {DATA} > "$1"\n',
    "run_42.sh": "#!/bin/sh\necho 'this goes wrong' >&2\nexit 42\n",
    "run_long.sh": "#!/bin/sh\necho begun\nexec sleep 900\n",
}
SUM = b"sum 10\n"
