"""Servers that stop in the middle of a copy and never say another word: SIGSTOP.

Each protocol's own limits end the wait; the storage serves again when the server goes on.
"""

from contextlib import ExitStack

import pytest

from datasets import reasons, storage
from datasets.storage import Address, StorageError, patience, xroot_client, xroot_copy
from tests.datasets import servers
from tests.datasets.copies import content, got, order, put
from tests.datasets.halting import BUCKET, servers_apart
from tests.datasets.xrootd import xrootd

BODY = content(24_000_000)  # more than waits in the buffers of two sockets


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    with servers_apart(tmp_path_factory.mktemp("apart")) as running:
        yield running


@pytest.fixture(scope="module")
def xroot():
    with xrootd() as running:
        yield running


@pytest.fixture(autouse=True)
def anew(settings, monkeypatch):
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_DAV", f"{servers.USER}:{servers.PASSWORD}")
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_S3", f"{servers.S3_KEY}:{servers.S3_SECRET}")
    monkeypatch.setattr(patience, "limit", lambda: 60.0)  # of the folder at the other end
    monkeypatch.setattr(xroot_client, "_prepared", set())
    wait_for(settings, 60)
    yield
    storage.close_places()


def wait_for(settings, seconds):
    """What is opened from now on is so patient."""
    storage.close_places()
    settings.PANDASITE = settings.PANDASITE | {"STORAGE_TIMEOUT_SECONDS": seconds}
    xroot_client._prepared.clear()


def remote(kind, server):
    if kind == "dav":
        return storage.open_place(Address(url=server.dav, secret="dav"))
    if kind == "s3":
        return storage.open_place(Address(url=f"s3://{BUCKET}", endpoint=server.s3, secret="s3"))
    return storage.open_place(f"{server.url}//disk")


def halted_at(halted, stack, at):
    """A copy's progress during which the server halts."""

    def progress(done):
        if done >= at and not stack.halted:
            stack.halted = True
            stack.enter_context(halted())

    return progress


class Halts(ExitStack):
    halted = False


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        pytest.param("dav", "source", id="dav-source"),
        pytest.param("dav", "destination", id="dav-destination", marks=pytest.mark.long),
        pytest.param("s3", "source", id="s3-source", marks=pytest.mark.long),
        pytest.param("s3", "destination", id="s3-destination"),
        pytest.param("root", "source", id="root-source"),
        pytest.param("root", "destination", id="root-destination", marks=pytest.mark.long),
    ],
)
def test_a_server_that_stops_in_the_middle_costs_a_bounded_time_and_serves_again(
    request, settings, tmp_path, kind, end
):
    server = request.getfixturevalue("xroot" if kind == "root" else "apart")
    near = storage.open_place(f"file://{tmp_path}")

    def ends():
        far = remote(kind, server)
        return (far, near) if end == "source" else (near, far)

    put(ends()[0], BODY)
    wait_for(settings, 2)
    raised = storage.SourceError if end == "source" else StorageError

    with Halts() as stack, pytest.raises(raised) as refusal:
        storage.bring(order(*ends(), BODY, progress=halted_at(server.halted, stack, 1)))

    assert reasons.reason_of(str(refusal.value)) == "timed out"
    wait_for(settings, 60)
    storage.bring(order(*ends(), BODY))
    assert got(ends()[1]) == BODY


@pytest.mark.long
@pytest.mark.parametrize("end", ["source", "destination"])
def test_servers_that_stop_while_they_copy_between_themselves_keep_nobody_waiting(
    settings, monkeypatch, end
):
    monkeypatch.setattr(xroot_copy, "LEAST_BYTES", 1)
    with xrootd() as one, xrootd() as other:
        source = storage.open_place(f"{one.url}//disk")
        target = storage.open_place(f"{other.url}//disk")
        put(source, BODY)
        wait_for(settings, 2)
        source, target = (storage.open_place(f"{each.url}//disk") for each in (one, other))
        begun = xroot_copy._copy
        halts = one if end == "source" else other

        with Halts() as stack:

            def halting(*about):
                stack.enter_context(halts.halted())
                return begun(*about)

            monkeypatch.setattr(xroot_copy, "_copy", halting)
            with pytest.raises(StorageError) as refusal:
                storage.bring(order(source, target, BODY))

    assert reasons.reason_of(str(refusal.value)) == "timed out"
