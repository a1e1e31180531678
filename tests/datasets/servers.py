"""Real servers of storage, in threads of the test: WebDAV over HTTP and HTTPS, and S3."""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.server import ThreadedMotoServer
from wsgidav.wsgidav_app import WsgiDAVApp

USER, PASSWORD = "ddm", "canary-storage-8f21"
S3_KEY, S3_SECRET = "canarykey", "canary-s3-77ab"


@dataclass
class Tokens:
    """What a server demands of who comes; each request is held against it as it is now."""

    accepted: set[str]
    refused: int = 0

    def before(self, app: Any) -> Any:
        """The same application, for those who bear a token."""

        def guarded(environ: Any, start: Any) -> Any:
            kind, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
            if kind == "Bearer" and token in self.accepted:
                return app(environ, start)
            self.refused += 1
            demand = [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")]
            start("401 Unauthorized", demand)
            return [b""]

        return guarded


@contextmanager
def webdav(
    folder: Path, *, certificate: Path | None = None, tokens: Tokens | None = None
) -> Iterator[str]:
    """A WebDAV server of this folder; its address. By basic authentication, or by token."""
    folder.mkdir(parents=True, exist_ok=True)
    users: Any = True if tokens else {USER: {"password": PASSWORD}}
    app: Any = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)},
            "simple_dc": {"user_mapping": {"*": users}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False},
            "dir_browser": {"enable": False},
            "logging": {"enable": False},
            "verbose": 0,
        }
    )
    for handler in list(logging.getLogger("wsgidav").handlers):
        logging.getLogger("wsgidav").removeHandler(handler)
    if tokens is not None:
        app = tokens.before(app)
    server = wsgi.Server(("127.0.0.1", 0), app, numthreads=4, timeout=5)
    if certificate is not None:
        server.ssl_adapter = BuiltinSSLAdapter(str(certificate), str(certificate))
    server.error_log = lambda *_said, **_more: None  # who hangs up is no news
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        scheme = "davs" if certificate else "dav"
        yield f"{scheme}://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join(10)


@contextmanager
def s3(*buckets: str) -> Iterator[str]:
    """An S3 service with these buckets; its endpoint."""
    import boto3  # it comes with moto

    server = ThreadedMotoServer("127.0.0.1", 0)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=S3_KEY,
        aws_secret_access_key=S3_SECRET,
    )
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)
    client.close()
    try:
        yield endpoint
    finally:
        server.stop()


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, which only who is told of it believes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Raw:
    """A server that says what it is told to, byte by byte, and counts who came."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.came = answer, 0
        self.ending = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.threads: list[threading.Thread] = []
        self.threads.append(threading.Thread(target=self._serve, daemon=True))
        self.threads[0].start()

    def _serve(self) -> None:
        while not self.ending.is_set():
            try:
                connection, _address = self.socket.accept()
            except TimeoutError:
                continue
            self.came += 1
            thread = threading.Thread(target=self._talk, args=[connection], daemon=True)
            self.threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                request = connection.recv(65536)
                self.answer(self, connection, request)
                _hang_up(connection)
            except OSError:
                return

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(10)
        self.socket.close()


def _hang_up(connection: socket.socket) -> None:
    """To close it with bytes of a request unread would reset it, and lose the answer."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(0.2)
    while connection.recv(65536):
        continue


def says(status: str, body: bytes = b"", more: str = "", kind: str = "text/plain") -> Any:
    """An answer to whatever is asked, the only one on its connection, and says so."""
    facts = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    head = f"HTTP/1.1 {status}\r\n{facts}{more}\r\n"

    def answer(_server: Raw, connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head.encode() + body)

    return answer
