"""Storage that is full, slow, silent, or says what it should not; hosts nobody may be led to.

Whatever it does: the file is not registered, nothing half is seen, the reason stands on the
transfer and on the health of who failed, and it goes on by itself when the storage is back.
"""

import os
import socket
import time

import pytest

from datasets import engine, space, storage
from datasets.models import Replica, StorageElement, StorageHealth, Transfer
from datasets.storage import hosts
from datasets.storage.copying import Pace
from datasets.storage.secrets import read_secret
from pandasite.base.clock import database_now
from tests.builders import NOW, after, create_storage
from tests.datasets.disks import CONTENT, due, fresh, known_file, leftovers, store, visible
from tests.datasets.servers import Raw

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def impatient(settings):
    settings.PANDASITE = settings.PANDASITE | {"STORAGE_TIMEOUT_SECONDS": 1}
    yield
    storage.close_places()


def says(status, body=b"", more="", kind="text/plain"):
    """An answer to whatever is asked."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"

    def answer(_server, connection, _request):
        connection.sendall(head.encode() + body)

    return answer


def nothing(server, connection, _request):
    """Never a word."""
    server.ending.wait(20)


def endless(_server, connection, request):
    """As many bytes as are taken: a gigabyte in place of a file."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        connection.sendall(b"x" * 1_048_576)


def breaks_off(_server, connection, _request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3900\r\n\r\n" + CONTENT[:100])


def no_http(_server, connection, _request):
    connection.sendall(b"\x00\x01\x02 what is this\r\n\r\n")


HTML = b"<html><body>Down for maintenance</body></html>"
ANSWERS = {
    "500": (says("500 Internal Server Error"), "server error"),
    "503": (says("503 Service Unavailable"), "storage busy"),
    "html": (says("200 OK", HTML, kind="text/html"), "unexpected answer"),
    "never": (nothing, "timed out"),
    "gigabyte": (endless, None),
    "breaks-off": (breaks_off, "connection lost"),
    "no-http": (no_http, None),
    "redirect": (says("302 Found", more="Location: http://127.0.0.1:9/\r\n"), None),
    "denied": (says("403 Forbidden"), "permission denied"),
}


def elsewhere(server, name="away"):
    return create_storage(name, url=f"dav://127.0.0.1:{server.port}")


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_source_that_misbehaves_serves_nothing_and_is_not_blamed_for_good(disks, answer):
    doing, reason = ANSWERS[answer]
    aglt2 = disks[2]
    file = known_file()
    with Raw(doing) as server:
        source = elsewhere(server)
        Replica.objects.create(file=file, storage=source, created_at=database_now())
        transfer = due(file, aglt2)

        assert engine.run(transfer.pk) is False

    failed = fresh(transfer)
    assert (failed.state, visible(aglt2), leftovers(aglt2)) == ("queued", [], [])
    assert failed.error.startswith("away: ") and reason in (None, failed.reason)
    assert Replica.objects.get(file=file).state == "available"
    assert StorageHealth.objects.get(storage=source).failing_since


@pytest.mark.parametrize("answer", ["500", "html", "never", "no-http", "redirect", "denied"])
def test_a_destination_that_misbehaves_gets_nothing_registered(disks, answer):
    doing, _reason = ANSWERS[answer]
    file = known_file()
    store(disks[0], file)
    with Raw(doing) as server:
        target = elsewhere(server)
        transfer = due(file, target)

        assert engine.run(transfer.pk) is False

    failed = fresh(transfer)
    assert (failed.state, failed.permanent) == ("queued", False)
    assert "dav://127.0.0.1" in failed.error
    assert not Replica.objects.filter(storage=target).exists()
    assert StorageHealth.objects.get(storage=target).failing_since
    assert Replica.objects.get(storage=disks[0]).state == "available"


def test_a_silent_storage_costs_a_bounded_time(disks):
    file = known_file()
    with Raw(nothing) as server:
        Replica.objects.create(file=file, storage=elsewhere(server), created_at=database_now())
        begun = time.thread_time(), time.monotonic()
        engine.run(due(file, disks[2]).pk)
        lasted = time.monotonic() - begun[1]

    assert lasted < 20  # of a second each for some questions, on a machine that is busy


def test_another_replica_serves_when_one_storage_is_down(disks):
    file = known_file()
    with Raw(ANSWERS["500"][0]) as server:
        Replica.objects.create(file=file, storage=elsewhere(server), created_at=database_now())
        store(disks[1], file)
        assert engine.run(due(file, disks[2]).pk) is True


def test_a_storage_that_is_back_is_used_again_by_itself(disks, tmp_path):
    file = known_file()
    store(disks[0], file)
    (tmp_path / "aglt2").rename(tmp_path / "unmounted")
    (tmp_path / "aglt2").write_text("in the way")
    transfer = due(file, disks[2])
    engine.run(transfer.pk)
    failing = StorageHealth.objects.get(storage=disks[2])
    assert failing.failing_since and fresh(transfer).state == "queued"

    (tmp_path / "aglt2").unlink()
    (tmp_path / "unmounted").rename(tmp_path / "aglt2")
    Transfer.objects.update(next_try_at=database_now())
    assert engine.work(0) == 1

    back = StorageHealth.objects.get(storage=disks[2])
    assert (back.failing_since, back.error) == (None, failing.error)


def test_a_full_storage_is_said_to_be_full(disks, monkeypatch):
    file = known_file()
    store(disks[0], file)
    transfer = due(file, disks[2])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "sendfile", full)
        engine.run(transfer.pk)

    assert (fresh(transfer).state, fresh(transfer).reason) == ("queued", "no space left")
    assert visible(disks[2]) == leftovers(disks[2]) == []
    assert StorageHealth.objects.get(storage=disks[2]).reason == "no space left"


def test_a_full_webdav_storage_is_said_to_be_full(disks):
    file = known_file()
    store(disks[0], file)
    with Raw(says("507 Insufficient Storage")) as server:
        transfer = due(file, elsewhere(server))
        engine.run(transfer.pk)

    assert fresh(transfer).reason == "no space left"


# -- quota -------------------------------------------------------------------------------------

QUOTA = b"""<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/</D:href>
<D:propstat><D:prop><D:quota-available-bytes>700</D:quota-available-bytes>
<D:quota-used-bytes>300</D:quota-used-bytes></D:prop><D:status>HTTP/1.1 200 OK</D:status>
</D:propstat></D:response></D:multistatus>"""


def test_what_webdav_tells_of_its_quota_counts_more_than_the_catalogue():
    with Raw(says("207 Multi-Status", QUOTA, kind="application/xml")) as server:
        target = elsewhere(server)
        assert space.ask(target.pk, now=NOW) is True
    space.measure_storage(now=after(hours=1))

    told = StorageElement.objects.get(pk=target.pk)
    assert (told.used_bytes, told.free_bytes, told.space_from) == (300, 700, "quota")
    assert told.measured_at == NOW
    assert StorageHealth.objects.get(storage=target).ok_at == NOW


def test_a_storage_that_does_not_answer_keeps_what_it_told_last():
    with Raw(nothing) as server:
        target = elsewhere(server)
        StorageElement.objects.update(space_from="quota", free_bytes=7, measured_at=NOW)
        assert space.ask(target.pk, now=after(hours=1)) is False

    assert StorageElement.objects.get(pk=target.pk).free_bytes == 7
    assert StorageHealth.objects.get(storage=target).reason == "timed out"


def test_a_storage_that_tells_no_quota_is_measured_by_the_catalogue():
    bare = QUOTA.replace(b"quota-used-bytes", b"displayname")
    with Raw(says("207 Multi-Status", bare, kind="application/xml")) as server:
        target = elsewhere(server)
        StorageElement.objects.update(space_from="quota", capacity_bytes=50)
        assert space.ask(target.pk, now=NOW) is False
    space.measure_storage(now=NOW)

    told = StorageElement.objects.get(pk=target.pk)
    assert (told.free_bytes, told.space_from) == (50, "catalogue")


# -- slow --------------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def slowly(clock, *, source, target):
    """Pieces of a byte for which the source takes so long, and the destination as long."""
    pace = Pace(clock)

    def pieces():
        while True:
            clock.now += source
            yield b"x"

    for size, _piece in enumerate(pace.timed(pieces()), 1):
        pace.check(size)
        clock.now += target


def test_a_source_that_trickles_is_given_up_after_its_grace():
    with pytest.raises(storage.SourceError, match="too slow"):
        slowly(clock := Clock(), source=5, target=0)
    assert 60 <= clock.now <= 70


def test_a_destination_that_trickles_is_not_the_sources_fault():
    with pytest.raises(storage.StorageError, match="too slow") as refusal:
        slowly(Clock(), source=0, target=5)
    assert not isinstance(refusal.value, storage.SourceError)


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


# -- A7: paths ---------------------------------------------------------------------------------

PATHS = [
    "..", "a/..", "a/../b", "../x", "a/b/../../..", "", ".", "./a", "a/./b", "/etc/passwd", "a//b",
    "a/", "/", "a\0b", "a\\b", "..\\x", "a\nb", "a\rb", "\x7f", "a/..\0/b", "a\tb",
]  # fmt: skip


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
    for url in (f"file://{tmp_path}/root", "dav://127.0.0.1:9/x", "s3://bucket/x"):
        for deed in DEEDS:
            with pytest.raises(storage.StorageError, match="no path below"):
                deed(storage.open_place(url), path)
    assert sorted(tmp_path.iterdir()) == outside
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize("url", ["file:///data/../etc", "dav://se.example.org/../x", "s3://b/../c"])
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
