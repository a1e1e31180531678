"""The embedded Valkey (Redis protocol): the broker. It too listens on a unix socket only."""

import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import server_environment
from pandasite.embedded.process import Command

CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
daemonize no
maxmemory 256mb
maxmemory-policy noeviction
"""


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """One server with its append-only file in `<home>/valkey`."""

    home: Home
    keys: Keys
    program: Path

    @property
    def folder(self) -> Path:
        return self.home.path / "valkey"

    def command(self) -> Command:
        """How to start it; its configuration, with the password, comes through standard input."""
        configuration = CONFIGURATION.format(
            socket=_quoted(socket_path(self.home)),
            folder=_quoted(self.folder),
            password=self.keys.broker_password,
        )
        return Command(
            name="valkey",
            argv=(str(self.program), "-"),
            env=server_environment(),
            user=self.home.server_user,
            stdin=configuration,
            death_signal=signal.SIGTERM,
            before=self.prepare,
        )

    def prepare(self) -> None:
        self.home.make_for_server(self.folder)
        self.home.make_for_server(socket_path(self.home).parent)

    def ready(self) -> bool:
        """Whether it answers with its data read back."""
        import redis  # here, because the settings import this module, and redis takes long

        client = redis.Redis(
            unix_socket_path=str(socket_path(self.home)),
            password=self.keys.broker_password,
            socket_timeout=5,
        )
        try:
            with client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, FileNotFoundError):
            return False  # not there yet, or still loading its file


def socket_path(home: Home) -> Path:
    return home.sockets / "vk" / "valkey.sock"


def broker_url(home: Home, keys: Keys) -> str:
    return f"redis+socket://:{quote(keys.broker_password)}@{quote(str(socket_path(home)))}"


def _quoted(path: Path) -> str:
    """A path as the configuration's parser reads it, blanks and quotes included."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
