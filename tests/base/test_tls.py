"""The port with TLS of its own, as a process: what it serves, and what it says when it cannot."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pandasite.certificates import authorities_folder, front, tls_files
from pandasite.environment import Environment
from pandasite.identity.x509 import patience
from pandasite.identity.x509.listener import make
from pandasite.launcher import tls
from pandasite.launcher.bind import Bind
from tests.identity.x509.grid_ca import Authority
from tests.identity.x509.wire import Folder

CA = Authority(now=dt.datetime.now(dt.UTC))
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@dataclass(frozen=True, kw_only=True)
class Running:
    """The port without a database."""

    process: psutil.Popen
    address: tuple[str, int]
    folder: Folder
    log: Path

    def connect(self) -> ssl.SSLSocket:
        made = socket.create_connection(self.address, timeout=20)
        return self.folder.client(None).wrap_socket(made, server_hostname="127.0.0.1")

    def answers(self) -> bool:
        with self.connect() as connection:
            connection.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")

    def serial(self) -> int:
        """Of the certificate that the port shows."""
        with self.connect() as connection:
            shown = connection.getpeercert(binary_form=True)
            assert shown
            return x509.load_der_x509_certificate(shown).serial_number


def environment(folder: Folder) -> dict[str, str]:
    host = str(folder.path / "host.pem")
    return {
        "PANDASITE_TLS_CERTIFICATE": host,
        "PANDASITE_TLS_KEY": host,
        "PANDASITE_X509_CA": str(folder.authorities),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = Folder.make(tmp_path_factory.mktemp("tls"), CA, CA.host(LOOPBACK))
    log = folder.path / "log"
    with Bind(host="127.0.0.1", port=0).listen() as listener, log.open("w") as said:
        process = psutil.Popen(
            [sys.executable, "-m", "pandasite.launcher.tls", "--bind", f"fd://{listener.fileno()}"],
            cwd=settings.BASE_DIR,
            env=os.environ | environment(folder),
            pass_fds=(listener.fileno(),),
            stdout=said,
            stderr=said,
        )
        yield Running(process=process, address=listener.getsockname(), folder=folder, log=log)
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_it_serves_the_site_and_writes_no_socket_of_control(server: Running) -> None:
    assert server.answers()
    assert "Control socket" not in server.log.read_text()


def test_a_renewed_host_certificate_is_shown_without_a_restart(server: Running) -> None:
    before = server.serial()
    renewed = CA.host(LOOPBACK)
    renewed.write(server.folder.path / "host.pem")
    assert before != server.serial() == renewed.certificate.serial_number


def test_those_who_say_nothing_keep_nobody_waiting(server: Running) -> None:
    assert server.answers()
    with ExitStack() as silent:
        for _ in range(200):
            silent.enter_context(socket.create_connection(server.address, timeout=10))
        assert server.answers()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prctl")
def test_a_killed_worker_comes_back(server: Running) -> None:
    assert server.answers()
    for worker in server.process.children():
        worker.kill()
    assert server.answers()  # it waits in the socket, which they all share


def test_who_stops_within_a_handshake_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SILENT_SECONDS", 0.1)
    folder = Folder.make(tmp_path, CA, CA.host(LOOPBACK))
    calling, accepted = socket.socketpair()
    with calling, accepted:
        calling.sendall(b"\x16\x03\x01\x02\x00\x01")  # the first bytes of a ClientHello
        with pytest.raises(ConnectionResetError, match="said nothing for too long"):
            make(folder.files).wrap_socket(accepted, server_side=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PANDASITE_TLS_KEY": ""}, "PANDASITE_TLS_KEY must be set"),
        ({"PANDASITE_X509_CA": ""}, "PANDASITE_X509_CA must be set"),
        ({"PANDASITE_X509_CA": "/nowhere"}, "PANDASITE_X509_CA must name a folder"),
        ({"PANDASITE_X509_CRLS": "maybe"}, "PANDASITE_X509_CRLS must be one of require, ignore"),
    ],
    ids=["key", "no folder", "folder", "lists"],
)
def test_settings_that_do_not_go_together_are_said_in_a_sentence(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    folder = Folder.make(tmp_path, CA, CA.host(LOOPBACK))
    given = environment(folder)
    assert tls_files(Environment(given)) == folder.files
    with pytest.raises(ImproperlyConfigured, match=said):
        tls_files(Environment(given | changes))
        authorities_folder(Environment(given | changes))


def test_without_its_settings_there_is_no_port_and_nobody_in_front() -> None:
    assert tls_files(Environment({})) is None
    assert authorities_folder(Environment({})) is None
    assert not front(Environment({})).is_on


SECRET = "x" * 32


@pytest.mark.parametrize(
    ("networks", "secret", "said"),
    [
        ("127.0.0.1", "", "belong together"),
        ("", SECRET, "belong together"),
        ("127.0.0.1", "short", "must have at least 32 characters, it has 5"),
        ("panda.example.org", SECRET, "must be addresses or networks such as"),
    ],
    ids=["no secret", "no network", "short", "name"],
)
def test_a_server_in_front_is_named_by_address_and_secret(
    networks: str, secret: str, said: str
) -> None:
    names = ("PANDASITE_TRUSTED_PROXIES", "PANDASITE_TRUSTED_PROXY_SECRET")
    assert front(
        Environment(dict(zip(names, ("127.0.0.1, 10.0.0.0/8", SECRET), strict=True)))
    ).is_on
    with pytest.raises(ImproperlyConfigured, match=said):
        front(Environment(dict(zip(names, (networks, secret), strict=True))))


def test_a_port_that_cannot_be_served_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder.make(tmp_path, CA, CA.host(LOOPBACK))
    (folder.path / "host.pem").write_text("no certificate")
    for files, said in ((None, "PANDASITE_TLS_CERTIFICATE"), (folder.files, "cannot be used")):
        monkeypatch.setattr(settings, "PANDASITE_TLS", files)
        with pytest.raises(SystemExit):
            tls.main(["--bind", "127.0.0.1:0"])
        assert said in capsys.readouterr().err


def test_openssl_of_this_machine_agrees_with_our_authority(tmp_path: Path) -> None:
    """What the tests make is what grids have: a program of others verifies it."""
    proxy = CA.proxy(CA.user())
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    proxy.write(tmp_path / "proxy.pem")
    words = ["openssl", "verify", "-allow_proxy_certs", "-CAfile", "ca.pem"]
    told = subprocess.run(
        [*words, "-untrusted", "proxy.pem", "proxy.pem"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert told.stdout == "proxy.pem: OK\n", told.stderr
