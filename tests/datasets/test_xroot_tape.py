"""Tape behind a real XRootD server: asked for by prepare, staged when it is online."""

import datetime as dt

import pytest

from datasets import engine, staging, storage
from datasets.models import StageRequest, Transfer
from datasets.storage import NotStaged, SourceError, path_of
from datasets.storage.base import Address, Stage
from pandasite.base.clock import database_now
from tests.builders import create_replica, create_storage
from tests.datasets.disks import CONTENT, due, fresh, known_file, where
from tests.datasets.xrootd_tape import xrootd_tape

NOW = 0.0


@pytest.fixture(scope="module")
def robot():
    with xrootd_tape() as made:
        yield made
    storage.close_places()


@pytest.fixture(scope="module")
def silent():
    """One that does not tell how far a request is."""
    with xrootd_tape(tells=False) as made:
        yield made
    storage.close_places()


def opened(robot):
    return storage.open_place(Address(url=robot.url, tape=True))


def kept(robot, lfn):
    path = path_of("mc09", lfn)
    robot.keep(path, CONTENT)
    return path


def got(place, path):
    with place.read(path) as pieces:
        return b"".join(pieces)


def test_a_file_on_tape_only_has_a_size_and_is_not_read(robot):
    path = kept(robot, "offline")
    place = opened(robot)

    assert place.size(path) == len(CONTENT)
    with pytest.raises(NotStaged, match="is on tape"):
        got(place, path)
    robot.bring(path)
    assert got(place, path) == CONTENT


def test_what_is_neither_on_disk_nor_on_tape_is_missing(robot):
    kept(robot, "another")
    with pytest.raises(SourceError, match="no such file"):
        got(opened(robot), path_of("mc09", "nowhere"))


@pytest.mark.parametrize("kind", ["robot", "silent"])
def test_files_are_asked_for_together_and_each_is_staged_when_it_is_online(request, kind):
    robot = request.getfixturevalue(kind)
    paths = [kept(robot, f"several-{nr}") for nr in range(3)]
    place = opened(robot)

    ticket = place.stage(paths, now=NOW)
    robot.bring(paths[1])
    found = place.staged(paths, ticket=ticket, now=NOW)

    assert [found[path][0] for path in paths] == [Stage.REQUESTED, Stage.STAGED, Stage.REQUESTED]
    assert {(ticket, f"/disk/{path}") for path in paths} <= set(robot.asked())


@pytest.mark.parametrize("kind", ["robot", "silent"])
def test_a_file_that_is_gone_is_not_waited_for(request, kind):
    robot = request.getfixturevalue(kind)
    path = path_of("mc09", "gone")
    place = opened(robot)

    ticket = place.stage([path], now=NOW)
    robot.forgets()

    stage, error = place.staged([path], ticket=ticket, now=NOW)[path]
    assert stage == Stage.FAILED and f"gone could not be staged at {robot.url}" in error


def test_a_transfer_waits_for_the_tape_and_a_broken_one_is_a_failed_try(robot, disks):
    good, broken = known_file(), known_file()
    tape = create_storage("tape", url=robot.url, kind="tape")
    for file in (good, broken):
        robot.keep(path_of(file.scope, file.lfn), CONTENT)
        create_replica(file, tape)
    robot.breaks(path_of(broken.scope, broken.lfn))
    transfers = [due(good, disks[2]), due(broken, disks[2])]

    assert engine.work(0) == 0
    assert {fresh(one).reason for one in transfers} == {"waits for tape"}
    assert staging.stage(database_now()) == 1

    failed = fresh(transfers[1])
    assert (failed.attempts, failed.reason) == (1, "not staged")
    assert failed.error.endswith("the tape is broken")
    assert StageRequest.objects.get(file=good).state == "requested"

    robot.bring(path_of(good.scope, good.lfn))
    assert staging.stage(database_now()) == 1
    Transfer.objects.filter(file=good).update(next_try_at=database_now())
    assert engine.work(0) == 1
    assert where(disks[2], good).read_bytes() == CONTENT


@pytest.mark.django_db
def test_a_tape_is_asked_again_after_a_day(silent):
    file = known_file()
    silent.keep(path := path_of(file.scope, file.lfn), CONTENT)
    tape = create_storage("tape", url=silent.url, kind="tape")
    now = database_now()
    staging.prestage([file.pk], tape, now=now)

    for hours in (0, 1, 25):
        assert staging.stage(now + dt.timedelta(hours=hours)) == 0

    assert len([1 for _request, asked in silent.asked() if asked == f"/disk/{path}"]) == 2


@pytest.mark.django_db
def test_many_files_are_asked_for_in_few_requests(robot):
    files = [known_file() for _ in range(staging.TOGETHER + 5)]
    for file in files:
        robot.keep(path_of(file.scope, file.lfn), CONTENT)
    tape = create_storage("tape", url=robot.url, kind="tape")
    robot.forgets()
    staging.prestage([file.pk for file in files], tape, now=database_now())

    staging.stage(database_now())

    tickets = set(StageRequest.objects.values_list("ticket", flat=True))
    assert len(tickets) == 2 and {request for request, _path in robot.asked()} == tickets
