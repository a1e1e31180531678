"""A folder whose calls never come back: who waits goes on, and few calls are left behind."""

import os
import threading
import time

import pytest

from datasets import engine, storage
from datasets.models import Replica, StorageElement, StorageHealth, Transfer
from datasets.storage import local, local_arrival, patience
from pandasite.base.clock import database_now
from tests.datasets.disks import CONTENT, due, fresh, known_file, leftovers, store, visible


@pytest.fixture(autouse=True)
def impatient(settings):
    settings.PANDASITE = settings.PANDASITE | {"STORAGE_TIMEOUT_SECONDS": 2}


class Stuck:
    """A call that comes back when it is let go."""

    def __init__(self):
        self.go, self.back = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.go.wait(120)
        return 7

    def over(self, _brought=None):
        self.back.set()


@pytest.fixture
def root(tmp_path):
    """Another one for each test: what hangs in one is nothing to the others."""
    return str(tmp_path)


@pytest.fixture
def stuck():
    made = Stuck()
    yield made
    made.go.set()


def hang(stuck, root, path):
    """A call that nobody waits for any more."""
    call = patience.begin(root, path, stuck, late=stuck.over)
    with pytest.raises(patience.Hangs):
        call.wait(0)
    return call


def let_go(stuck):
    """It is back, and what it left is cleaned up."""
    stuck.go.set()
    assert stuck.back.wait(60)


def test_a_call_gives_what_it_brings_or_raises(root):
    def refuses():
        raise PermissionError(13, "Permission denied")

    assert patience.patiently(root, "a", lambda: 5) == 5
    with pytest.raises(PermissionError):
        patience.patiently(root, "a", refuses)


def test_helpers_serve_again_and_no_more_are_made_than_calls_at_once(root):
    patience.patiently(root, "a", lambda: None)
    before = threading.active_count()

    used = {patience.patiently(root, "a", threading.get_ident) for _ in range(100)}

    assert len(used) == 1 and threading.active_count() == before
    assert threading.get_ident() not in used


def test_what_hangs_is_not_tried_again_at_once_and_others_are(root, stuck):
    hang(stuck, root, "a")

    with pytest.raises(patience.Hangs, match="still hangs there"):
        patience.patiently(root, "a", lambda: 1)
    assert patience.patiently(root, "b", lambda: 1) == 1
    assert patience.patiently("/elsewhere", "a", lambda: 1) == 1

    let_go(stuck)
    assert patience.patiently(root, "a", lambda: 1) == 1


def test_where_several_files_hang_the_whole_folder_does_until_it_is_tried_again(root, stuck):
    calls = [hang(stuck, root, f"a{nr}") for nr in range(patience.MANY)]

    with pytest.raises(patience.Hangs, match="still hangs there"):
        patience.patiently(root, "b", lambda: 1)
    assert patience.patiently("/elsewhere", "b", lambda: 1) == 1

    for call in calls:
        call.begun -= patience.AGAIN_SECONDS
    assert patience.patiently(root, "b", lambda: 1) == 1


def test_a_fork_knows_nothing_of_what_hangs_in_its_parent(root, stuck):
    hang(stuck, root, "a")

    child = os.fork()
    if not child:
        os._exit(len(patience.hanging()) or patience.patiently(root, "a", lambda: 0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- the engine --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_source_that_never_opens_costs_a_bounded_time_and_the_next_file_is_brought(disks):
    bnl, _, aglt2 = disks
    stuck, well = known_file(), known_file()
    path = store(bnl, stuck)
    path.unlink()
    os.mkfifo(path)  # to open it waits for who writes
    store(bnl, well)
    transfers = [due(stuck, aglt2), due(well, aglt2)]

    assert engine.work(0) == 1

    assert [fresh(transfer).state for transfer in transfers] == ["queued", "done"]
    failed = fresh(transfers[0])
    assert (failed.reason, failed.attempts, failed.lease_until) == ("timed out", 1, None)
    assert f"cannot read at {bnl.url}" in failed.error
    assert StorageHealth.objects.get(storage=bnl).reason == "timed out"
    assert (visible(aglt2), leftovers(aglt2)) == ([well.lfn], [])

    with open(path, "wb"):  # it comes back
        pass
    path.unlink()
    path.write_bytes(CONTENT)
    wait_until_none_hangs(bnl)
    Transfer.objects.update(next_try_at=database_now())
    assert engine.work(0) == 1


def wait_until_none_hangs(disk):
    until = time.monotonic() + 60
    while disk.url.removeprefix("file://") in dict(patience.hanging()):
        assert time.monotonic() < until, "the call does not come back"
        time.sleep(0.01)


@pytest.mark.django_db
@pytest.mark.parametrize("guilty", ["source", "destination"])
def test_a_copy_that_stands_still_is_the_fault_of_who_does_not_answer(
    disks, monkeypatch, stuck, guilty
):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)
    dropped = threading.Event()

    with monkeypatch.context() as patch:
        patch.setattr(os, "sendfile", stuck)
        if guilty == "source":
            patch.setattr(local_arrival, "_look", stuck)
        drop = local_arrival._drop
        patch.setattr(local_arrival, "_drop", lambda *about: (drop(*about), dropped.set()))
        assert engine.run(transfer.pk) is False

        failed = fresh(transfer)
        at = {"source": bnl, "destination": aglt2}[guilty]
        assert (failed.state, failed.reason) == ("queued", "timed out")
        assert StorageHealth.objects.get().storage == at
        assert {root for root, _path in patience.hanging()} == {at.url.removeprefix("file://")}
        stuck.go.set()
        assert dropped.wait(60)

    assert visible(aglt2) == leftovers(aglt2) == []
    assert Replica.objects.get().storage == bnl


@pytest.mark.django_db
def test_a_disk_that_never_writes_down_gets_nothing_registered(disks, monkeypatch, stuck):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    transfer = due(file, aglt2)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", stuck)
        patch.setattr(storage.settling, "WRITES_DOWN", 0)
        assert engine.run(transfer.pk) is False

    assert (fresh(transfer).state, fresh(transfer).reason) == ("queued", "timed out")
    assert not Replica.objects.filter(storage=aglt2).exists()


@pytest.mark.django_db
def test_a_folder_that_does_not_tell_its_space_keeps_no_sweep_waiting(disks, monkeypatch, stuck):
    from datasets import space

    StorageElement.objects.exclude(pk=disks[0].pk).update(capacity_bytes=10)
    with monkeypatch.context() as patch:
        patch.setattr(local.shutil, "disk_usage", stuck)
        assert space.measure_storage(now=database_now()) == 3

    assert StorageElement.objects.get(pk=disks[0].pk).space_from == "catalogue"
