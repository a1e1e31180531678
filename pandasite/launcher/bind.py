"""The address of the web server: a listening socket that outlives the server behind it."""

import errno
import re
import socket
from dataclasses import dataclass
from typing import Self

from django.core.exceptions import ImproperlyConfigured

from pandasite.environment import Environment
from pandasite.launcher.errors import LaunchError

DEFAULT = "127.0.0.1:8000"
FORM = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
BACKLOG = 2048
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where this machine finds what listens there


@dataclass(frozen=True)
class Bind:
    """Host and port to listen on. `movable`: another port will do when this one is taken."""

    host: str
    port: int
    movable: bool = False
    name: str = "PANDASITE_BIND"

    @classmethod
    def from_environment(cls, environment: Environment) -> Self:
        """PANDASITE_BIND as host:port (port 0: any). Raises ImproperlyConfigured."""
        text = environment.text("PANDASITE_BIND", DEFAULT)
        movable = not environment.given("PANDASITE_BIND")
        return cls.of(text, name="PANDASITE_BIND", movable=movable)

    @classmethod
    def of(cls, text: str, *, name: str = "--bind", movable: bool = False) -> Self:
        """host:port, given under this name. Raises ImproperlyConfigured."""
        found = FORM.fullmatch(text)
        if not found or int(found["port"]) > 65_535:
            raise ImproperlyConfigured(
                f"{name} must look like 127.0.0.1:8000 or [::1]:8000, not {text!r}."
            )
        return cls(
            host=found["host"].strip("[]"), port=int(found["port"]), movable=movable, name=name
        )

    def listen(self) -> socket.socket:
        """Takes the address. Raises LaunchError when it is taken and must not move.

        The launcher keeps this socket, and the web server inherits it: requests that come while a
        killed server is started again wait in the socket instead of being refused.
        """
        try:
            return self._listen(self.port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and self.movable:
                return self._listen(0)
            raise LaunchError(
                f"Cannot listen on {self.host}:{self.port} ({error.strerror}); "
                f"set {self.name} to another host:port."
            ) from None

    def _listen(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener


def url_of(listener: socket.socket, *, scheme: str = "http") -> str:
    """What a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    host = EVERYWHERE.get(host, host)
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
