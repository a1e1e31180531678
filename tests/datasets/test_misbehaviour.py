"""Storage that is full, slow, silent, or says what it should not.

Whatever it does: the file is not registered, nothing half is seen, the reason stands on the
transfer and on the health of who failed, and it goes on by itself when the storage is back.
"""

import os
import time

import pytest

from datasets import engine, space, storage
from datasets.models import Replica, StorageElement, StorageHealth, Transfer
from datasets.storage.copying import Pace
from pandasite.base.clock import database_now
from tests.builders import NOW, after, create_storage
from tests.datasets.disks import CONTENT, due, fresh, known_file, leftovers, store, visible
from tests.datasets.servers import Raw, says

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def impatient(settings):
    settings.PANDASITE = settings.PANDASITE | {"STORAGE_TIMEOUT_SECONDS": 1}
    yield
    storage.close_places()


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


def drips(server, connection, _request):
    """A head that takes half a minute, each byte in good time; for whoever waits it ends well."""
    for byte in b"HTTP/1.1 207 Multi-Status\r\nX-Long: " + b"x" * 60:
        connection.sendall(bytes([byte]))
        if server.ending.wait(0.3):
            return
    connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")


def no_http(_server, connection, _request):
    connection.sendall(b"\x00\x01\x02 what is this\r\n\r\n")


HTML = b"<html><body>Down for maintenance</body></html>"
ANSWERS = {
    "500": (says("500 Internal Server Error"), "server error"),
    "503": (says("503 Service Unavailable"), "storage busy"),
    "html": (says("200 OK", HTML, kind="text/html"), "unexpected answer"),
    "never": (nothing, "timed out"),
    "drips": (drips, "timed out"),
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


@pytest.mark.parametrize(
    "answer", ["500", "html", "never", "drips", "no-http", "redirect", "denied"]
)
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
