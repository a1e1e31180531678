"""A TLS socket that lets go who says nothing: a thread waits for each of them.

Gunicorn makes sockets wait for ever, and the kernel's own limit is of no use: at its end Python
asks again.
"""

from __future__ import annotations

import errno
import ssl
from typing import Any, Final

SILENT_SECONDS: Final = 15.0  # for the next bytes of a handshake, a head or a body


class PatientSocket(ssl.SSLSocket):
    """Where others block, it waits for SILENT_SECONDS and is then as one that was closed."""

    def setblocking(self, flag: bool) -> None:
        if flag:
            self.settimeout(SILENT_SECONDS)
        else:
            super().setblocking(False)

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(SILENT_SECONDS)
        try:
            super().do_handshake(block)
        except TimeoutError:
            raise _gone() from None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except TimeoutError:
            raise _gone() from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        try:
            super().sendall(data, flags)
        except TimeoutError:
            raise _gone() from None


def _gone() -> ConnectionResetError:
    """Of this gunicorn writes no trace."""
    return ConnectionResetError(errno.ECONNRESET, "it said nothing for too long")
