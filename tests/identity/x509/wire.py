"""A TLS handshake over a real socket: what both sides of it have in the end."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pandasite.identity.x509.listener import TlsFiles
from tests.identity.x509.grid_ca import Authority, Holder

SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The files of a port with TLS, and of those who call it."""

    path: Path

    @classmethod
    def make(cls, path: Path, ca: Authority, host: Holder) -> Folder:
        folder = cls(path=path)
        folder.authorities.mkdir()
        folder.trust("0123abcd.0", ca.pem)
        folder.trust("0123abcd.r0", ca.crl())
        host.write(path / "host.pem")
        return folder

    @property
    def authorities(self) -> Path:
        return self.path / "certificates"

    @property
    def files(self) -> TlsFiles:
        host = self.path / "host.pem"
        return TlsFiles(certificate=host, key=host, authorities=self.authorities)

    def trust(self, name: str, pem: bytes) -> None:
        """As fetch-crl does it: written aside, then put into its place."""
        part = self.path / "part"
        part.write_bytes(pem)
        part.replace(self.authorities / name)

    def client(self, holder: Holder | None) -> ssl.SSLContext:
        """Of one who shows this, and knows the authority of the host."""
        context = ssl.create_default_context(cafile=str(self.authorities / "0123abcd.0"))
        if holder:
            context.load_cert_chain(holder.write(self.path / "client.pem"))
        return context


@contextmanager
def shaken_hands(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """The server's and the client's side. ssl.SSLError when the server lets nobody in."""
    with ExitStack() as open_files, ThreadPoolExecutor(1) as pool:
        listener = open_files.enter_context(socket.create_server(("127.0.0.1", 0)))
        calling = socket.create_connection(listener.getsockname(), timeout=SECONDS)
        open_files.callback(calling.close)
        accepted, _ = listener.accept()
        open_files.callback(accepted.close)
        accepted.settimeout(SECONDS)
        future = pool.submit(_call, client, calling)
        open_files.callback(lambda: future.result().close() if not future.exception() else None)
        served = server.wrap_socket(accepted, server_side=True)
        open_files.callback(served.close)
        yield served, future.result()


def _call(client: ssl.SSLContext, calling: socket.socket) -> ssl.SSLSocket:
    """The server's answer tells that it has let us in, or a refusal comes in its place."""
    return client.wrap_socket(calling, server_hostname="127.0.0.1")
