"""Which XRootD server may be spoken to, and by which credentials.

The client resolves names and follows redirects by itself. So it is given the address that was
looked at in place of the name, and follows no redirect unless the administrator has said that it
may. With `roots://` it needs the name, for the certificate: the name is looked at right before, and
who is led elsewhere after that is met by a server that has to show the certificate of that name.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from typing import IO, Any
from urllib.parse import quote, urlsplit

from datasets.storage import hosts
from datasets.storage.base import StorageError
from datasets.storage.http import CONNECT_SECONDS
from datasets.storage.secrets import Secret
from datasets.storage.xroot_client import is_away, library, patience, words

PORT = 1094
KNOWN_SECONDS = 60.0  # how long an address that has answered is not looked for again


class Door:
    """A server by its name, as an administrator has written it."""

    def __init__(self, url: str, secret: Secret | None = None) -> None:
        parts = urlsplit(checked_url(url))
        self.secure = parts.scheme == "roots"
        self.host, self.port = parts.hostname or "", parts.port or PORT
        self.base = "/" + parts.path.strip("/")
        self.login = _login(secret, secure=self.secure)
        self.token = secret.token if secret else ""
        self.told = self.login.told if self.login else ""
        self._server, self._until = "", 0.0

    def server(self) -> str:
        """`root://address:port/` of the server; for root:// one that answers, or did so lately."""
        if self.secure:
            hosts.addresses(self.host, self.port)
            return f"roots://{self.host}:{self.port}/"
        if time.monotonic() > self._until:
            self._server = self._answering()
            self._until = time.monotonic() + KNOWN_SECONDS
        return self._server

    def _answering(self) -> str:
        last = "it has no address"
        for ip in dict.fromkeys(hosts.addresses(self.host, self.port)):
            server = f"root://{f'[{ip}]' if ':' in ip else ip}:{self.port}/"
            limit = min(patience(), int(CONNECT_SECONDS))
            status, _none = library().FileSystem(server).ping(timeout=limit)
            if status.ok or not is_away(status):
                return server
            last = words(status)
        raise StorageError(last)

    def forget(self) -> None:
        """Look for an address that answers anew, next time."""
        self._until = 0.0

    def path(self, path: str) -> str:
        """A path below the address, as the server knows it; '' is the address itself."""
        if "?" in path:
            raise StorageError(f"{path[:80]!r} is no path that root:// can name")
        return f"{self.base.rstrip('/')}/{path}".rstrip("/") or "/"

    def url(self, path: str) -> str:
        """The whole address of a path, as the client opens files."""
        return f"{self.server()}{self.path(path)}{self.told}"

    def close(self) -> None:
        if self.login:
            self.login.close()


def checked_url(url: str) -> str:
    """The address; StorageError for one that is no root:// address of a storage element."""
    if "?" in url or "#" in url:
        raise StorageError("a root:// address holds no ? and no #")
    return hosts.checked_url(url)


class Login:
    """A token, which servers look at when we log in (ztn) or with each file (authz).

    The client takes the first from a file that nobody else can read. Who has another token gets a
    connection of his own.
    """

    def __init__(self, token: str) -> None:
        self.file: IO[Any] = tempfile.NamedTemporaryFile(prefix="pandasite-", mode="w")  # noqa: SIM115
        self.file.write(token)
        self.file.flush()
        mine = hashlib.sha256(token.encode()).hexdigest()[:12]
        self.told = (
            f"?authz=Bearer%20{quote(token, safe='')}&xrd.ztn={self.file.name}&xrdcl.intent={mine}"
        )

    def close(self) -> None:
        self.file.close()


def _login(secret: Secret | None, *, secure: bool) -> Login | None:
    if secret is None:
        return None
    if not secret.token:
        raise StorageError("root:// knows tokens only: its secret is `bearer TOKEN`")
    if not secure:
        raise StorageError("a token is not sent by root://, where all can read it: use roots://")
    return Login(secret.token)


def check_redirected(server: str) -> None:
    """StorageError when the server (`host:port`) that has taken over may not be spoken to."""
    host, _, port = server.rpartition(":")
    hosts.addresses(host.strip("[]"), int(port) if port.isdigit() else PORT)
