"""Runs a command where foreign pilots may run: in process and network namespaces of its own.

    python -m tests.pilots.isolated pytest -m pilots

A pilot of PanDA ends processes of its user that it takes for orphans. Here it sees none but those
of the tests, and there is no network but the loopback interface. Where namespaces are not allowed
the command runs as it is, and tests/pilots/foreign.py says what becomes of the pilots.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import NoReturn

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
PRIVATE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--net")
INSIDE = "--inside"


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == [INSIDE]:
        loopback_up()
        become(sys.executable, "-m", *words[1:])
    if may_unshare(PRIVATE):
        become(*PRIVATE, sys.executable, "-m", "tests.pilots.isolated", INSIDE, *words)
    become(sys.executable, "-m", *words)


def become(*command: str) -> NoReturn:
    """Signals and exit code are then those of the command."""
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


def may_unshare(command: tuple[str, ...]) -> bool:
    """Whether namespaces like these can be had."""
    return bool(shutil.which(command[0])) and may_run((*command, "true"))


def may_run(command: tuple[str, ...]) -> bool:
    """Whether this ends well."""
    return subprocess.run(command, capture_output=True, cwd="/").returncode == 0


def loopback_up() -> None:
    """In a new network namespace the loopback interface is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


if __name__ == "__main__":
    main()
