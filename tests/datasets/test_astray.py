"""Addresses, paths and secrets: nobody is led where nobody has to go, and nothing is shown."""

import socket

import pytest

from datasets import engine, storage
from datasets.models import StorageElement
from datasets.storage import hosts
from datasets.storage.secrets import read_secret
from tests.builders import create_storage
from tests.datasets.disks import due, fresh, known_file, store
from tests.datasets.servers import Raw, says

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    storage.close_places()


# -- A6: hosts that nobody may be led to -------------------------------------------------------

BLOCKED = [
    "dav://169.254.169.254/",
    "dav://127.0.0.1:{port}/",
    "dav://[::1]:{port}/",
    "dav://0x7f000001:{port}/",
    "dav://2130706433:{port}/",
    "dav://0177.0.0.1:{port}/",
    "dav://127.1:{port}/",
    "dav://0.0.0.0:{port}/",
    "dav://[::ffff:127.0.0.1]:{port}/",
    "dav://user@127.0.0.1:{port}/",
    "dav://user:pass@localhost:{port}/",
    "dav://localhost:{port}/",
    "root://127.0.0.1:{port}//x",
    "root://localhost:{port}//x",
    "root://0x7f000001:{port}//x",
    "roots://[::1]:{port}//x",
    "roots://localhost:{port}//x",
    "roots://user@169.254.169.254:{port}//x",
    "http://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
]


@pytest.mark.parametrize("url", BLOCKED)
def test_no_address_leads_to_this_machine(settings, url):
    settings.PANDASITE_STORAGE_LOOPBACK = False
    with Raw(says("200 OK")) as server, pytest.raises(storage.StorageError):
        storage.open_place(url.format(port=server.port)).size("mc09/EVNT.1")
    assert server.came == 0


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:{port}", "http://localhost:{port}"])
def test_no_endpoint_of_s3_leads_to_this_machine(settings, endpoint, monkeypatch):
    settings.PANDASITE_STORAGE_LOOPBACK = False
    with Raw(says("200 OK")) as server:
        address = storage.Address(url="s3://b", endpoint=endpoint.format(port=server.port))
        with pytest.raises(storage.StorageError):
            storage.open_place(address).size("mc09/EVNT.1")
    assert server.came == 0


def test_a_name_that_turns_to_another_address_is_looked_at_each_time(settings, monkeypatch):
    settings.PANDASITE_STORAGE_LOOPBACK = False
    found = iter(["192.0.2.1", "127.0.0.1"])
    with Raw(says("200 OK")) as server:

        def resolve(host, port, *_, **__):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(found), port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert hosts.addresses("se.example.org", 80) == ["192.0.2.1"]
        place = storage.open_place(f"dav://se.example.org:{server.port}/")
        with pytest.raises(storage.StorageError, match="no storage element's address"):
            place.size("mc09/EVNT.1")
    assert server.came == 0


def test_a_redirect_is_not_followed():
    with Raw(says("200 OK")) as blocked:
        elsewhere_url = f"Location: http://127.0.0.1:{blocked.port}/\r\n"
        with Raw(says("307 Temporary Redirect", more=elsewhere_url)) as server:
            place = storage.open_place(f"dav://127.0.0.1:{server.port}")
            with pytest.raises(storage.SourceError, match="not followed"), place.read("a/b"):
                pass
            with pytest.raises(storage.StorageError, match="not followed"):
                place.size("a/b")
    assert (server.came > 0, blocked.came) == (True, 0)


@pytest.mark.parametrize("protocol", ["dav", "s3"])
def test_no_proxy_of_the_environment_goes_where_nobody_may_go(settings, monkeypatch, protocol):
    settings.PANDASITE_STORAGE_LOOPBACK = False
    with Raw(says("200 OK")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        url, endpoint = f"{protocol}://localhost/x", "http://localhost"
        address = storage.Address(url=url, endpoint=endpoint if protocol == "s3" else "")
        with pytest.raises(storage.StorageError):
            storage.open_place(address).size("mc09/EVNT.1")
    assert server.came == 0


# -- A7: paths ---------------------------------------------------------------------------------

PATHS = [
    "..", "a/..", "a/../b", "../x", "a/b/../../..", "", ".", "./a", "a/./b", "/etc/passwd", "a//b",
    "a/", "/", "a\0b", "a\\b", "..\\x", "a\nb", "a\rb", "\x7f", "a/..\0/b", "a\tb",
]  # fmt: skip


ROOT = "root://127.0.0.1:9//x"
DEEDS = (
    lambda place, path: place.size(path),
    lambda place, path: place.remove(path),
    lambda place, path: place.discard_old(path),
    lambda place, path: place.read(path).__enter__(),
    lambda place, path: place.arrive(
        path, tag="t1.1", expected=storage.Copied(size=1, adler32="00000001")
    ),
)


@pytest.mark.parametrize("path", PATHS, ids=[repr(path) for path in PATHS])
def test_no_path_leads_out_of_a_storage_element(tmp_path, path):
    (tmp_path / "root").mkdir()
    outside = sorted(tmp_path.iterdir())
    for url in (f"file://{tmp_path}/root", "dav://127.0.0.1:9/x", "s3://bucket/x", ROOT):
        for deed in DEEDS:
            with pytest.raises(storage.StorageError, match="no path below"):
                deed(storage.open_place(url), path)
    assert sorted(tmp_path.iterdir()) == outside
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize(
    "url", ["file:///data/../etc", "dav://se.example.org/../x", "s3://b/../c", "root://b//c/../d"]
)
def test_no_address_goes_up(url):
    with pytest.raises(storage.StorageError, match="must not go up"):
        storage.open_place(url)


# -- secrets -----------------------------------------------------------------------------------


def test_a_secret_is_read_from_a_file_or_from_the_environment(settings, tmp_path, monkeypatch):
    settings.PANDASITE_STORAGE_SECRETS = str(tmp_path)
    (tmp_path / "bnl").write_text("ddm:from-a-file\n")
    assert read_secret("bnl").password == "from-a-file"

    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_BNL", "bearer from-the-environment")
    assert read_secret("bnl").token == "from-the-environment"
    assert read_secret("") is None


@pytest.mark.parametrize("text", ["canary", ":canary", "canary:", "bearer "])
def test_a_secret_that_cannot_be_read_is_named_and_never_shown(monkeypatch, text):
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_BNL", text)
    with pytest.raises(storage.StorageError, match="'bnl'") as refusal:
        read_secret("bnl")
    assert "canary" not in str(refusal.value)


def test_a_storage_whose_secret_is_missing_says_so_on_the_transfer(disks):
    file = known_file()
    store(disks[0], file)
    target = create_storage(url="davs://se.example.org/", secret="nobody")
    transfer = due(file, target)

    engine.run(transfer.pk)

    assert "there is no secret 'nobody'" in fresh(transfer).error
    assert fresh(transfer).reason == "permission denied"
    assert StorageElement.objects.count() == 4
