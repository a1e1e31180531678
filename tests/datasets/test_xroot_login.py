"""Who an XRootD server is, and what it is told of us."""

import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from datasets.storage import StorageError, xroot_door
from datasets.storage.secrets import Secret
from tests.datasets import servers
from tests.datasets.xrootd import xrootd

# The client reads certificates once in a process.
BY_TLS = """
import sys, django
django.setup()
from datasets import storage
try:
    place = storage.open_place(storage.Address(url=sys.argv[1], secret="x"))
    expected = storage.Copied(size=6, adler32="07b0022b")
    arrival = place.arrive("mc09/EVNT.1", tag="t1.1", expected=expected)
    arrival.fill(iter([b"by TLS"]))
    arrival.publish()
    with place.read("mc09/EVNT.1") as pieces:
        print(b"".join(pieces).decode())
except storage.StorageError as error:
    print(error)
"""


def test_a_server_by_tls_is_believed_by_its_certificate_only(tmp_path):
    known = {name: text for name, text in os.environ.items() if "X509" not in name}
    known["PANDASITE_STORAGE_SECRET_X"] = "bearer canary.token"
    known["PANDASITE_STORAGE_CA"] = str(servers.certificate(tmp_path))
    with xrootd(certificate=tmp_path / "certificate.pem") as secure:
        url = secure.url.replace("root://", "roots://") + "//disk"
        friend, stranger = (
            subprocess.run(
                [sys.executable, "-c", BY_TLS, url], env=env, capture_output=True, text=True
            )
            for env in (known, known | {"PANDASITE_STORAGE_CA": ""})
        )

    assert friend.stdout == "by TLS\n"
    assert "TLS failed" in stranger.stdout
    assert "canary" not in "".join([friend.stdout, friend.stderr, stranger.stdout, stranger.stderr])


@pytest.mark.parametrize(
    ("url", "secret", "sentence"),
    [
        ("roots://se.example.org//x", Secret(user="a", password="canary"), "bearer TOKEN"),
        ("root://se.example.org//x", Secret(token="canary"), "use roots://"),
    ],
    ids=["password", "in-the-open"],
)
def test_a_secret_that_would_not_do_is_refused_before_it_is_sent(url, secret, sentence):
    with pytest.raises(StorageError, match=sentence) as refusal:
        xroot_door.Door(url, secret)

    assert "canary" not in str(refusal.value)


def test_a_token_lies_in_a_file_of_ours_until_the_place_is_closed():
    door = xroot_door.Door("roots://se.example.org//x", Secret(token="canary"))
    path = door.login.file.name
    with open(path, encoding="utf-8") as file:
        assert file.read() == "canary"

    door.close()

    with pytest.raises(FileNotFoundError):
        open(path, encoding="utf-8").close()


def test_the_connection_goes_to_the_first_address_that_answers(monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 1094)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 1094)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    class FileSystem:
        def __init__(self, url):
            self.away = "192.0.2.1" in url

        def ping(self, timeout):
            status = SimpleNamespace(ok=not self.away, code=108 * self.away, errno=0, message="")
            return status, None

    monkeypatch.setattr(xroot_door, "library", lambda: SimpleNamespace(FileSystem=FileSystem))

    door = xroot_door.Door("root://se.example.org//disk")

    assert door.url("a/b") == "root://[2001:db8::1]:1094//disk/a/b"
