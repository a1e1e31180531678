"""Storage that demands a token: it is shown, never told, and read anew when its file changes."""

import os
import subprocess
import sys

import pytest

from datasets import reasons, storage
from datasets.storage import Address, StorageError
from tests.datasets import servers
from tests.datasets.copies import content, got, order, put
from tests.datasets.macaroons import macaroon, xrootd_by_token
from tests.datasets.servers import Tokens


@pytest.fixture(autouse=True)
def anew():
    yield
    storage.close_places()


def test_a_token_that_is_exchanged_is_shown_at_the_next_try(tmp_path, settings):
    settings.PANDASITE_STORAGE_SECRETS = str(tmp_path)
    secret = tmp_path / "wlcg"
    secret.write_text("bearer canary.old.token\n")
    tokens, body = Tokens(accepted={"canary.new.token"}), content(1000)
    (tmp_path / "disk").mkdir()
    near = storage.open_place(f"file://{tmp_path}/disk")
    put(near, body)

    with servers.webdav(tmp_path / "dav", tokens=tokens) as url:
        address = Address(url=url, secret="wlcg")
        with pytest.raises(StorageError, match="401 Unauthorized") as refusal:
            storage.bring(order(near, storage.open_place(address), body))
        assert reasons.reason_of(str(refusal.value)) == "permission denied"
        assert tokens.refused and "canary" not in str(refusal.value)

        tokens.refused = 0
        secret.write_text("bearer canary.new.token\n")
        storage.bring(order(near, storage.open_place(address), body))

        assert (got(storage.open_place(address)), tokens.refused) == (body, 0)


# The client's environment and its certificates are those of a whole process.
EXCHANGED = """
import os, sys, django
django.setup()
from datasets import storage
from datasets.storage import Address
url, folder, token = sys.argv[1:]
address = Address(url=url, secret="grid")

def tell(does):
    try:
        print(does())
    except storage.StorageError as error:
        print(error)

def write():
    place = storage.open_place(address)
    expected = storage.Copied(size=8, adler32="0da0031d")
    arrival = place.arrive("mc09/EVNT.1", tag="t1.1", expected=expected)
    arrival.fill(iter([b"by token"]))
    proof = arrival.prove(expected)
    arrival.publish()
    with place.read("mc09/EVNT.1") as pieces:
        return proof, b"".join(pieces).decode()

tell(write)
with open(os.path.join(folder, "grid"), "w") as file:
    file.write("bearer " + token)
tell(write)
"""


def test_an_xrootd_server_that_demands_a_token_is_shown_it(tmp_path):
    certificate = servers.certificate(tmp_path)
    (tmp_path / "grid").write_text("bearer " + macaroon(path="/elsewhere"))
    about = {"PANDASITE_STORAGE_CA": certificate, "PANDASITE_STORAGE_SECRETS": tmp_path}
    known = {name: text for name, text in os.environ.items() if "X509" not in name}
    good = macaroon(path="/disk")
    with xrootd_by_token(certificate) as server:
        url = server.url.replace("root://", "roots://") + "//disk"
        said = subprocess.run(
            [sys.executable, "-c", EXCHANGED, url, tmp_path, good],
            env=known | {name: str(text) for name, text in about.items()},
            capture_output=True,
            text=True,
        )

    refused, served = said.stdout.splitlines()
    assert "cannot write" in refused and "permission denied" in refused
    assert served == "('server', 'by token')"
    assert good not in said.stdout + said.stderr
