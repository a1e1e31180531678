"""A tape is nearline: what is read from it has to be staged first, and that takes time or fails."""

import datetime as dt
import json

import pytest

from datasets import engine, staging
from datasets.models import StageRequest, Transfer
from pandasite.base.clock import database_now
from pandasite.base.rounds import Incomplete
from tests.builders import create_storage
from tests.datasets.disks import create_disk, due, fresh, known_file, root, store, where

pytestmark = pytest.mark.django_db


@pytest.fixture
def tape(tmp_path):
    """A tape element that takes a minute."""
    element = create_disk(tmp_path, "tape")
    type(element).objects.filter(pk=element.pk).update(kind="tape")
    element.refresh_from_db()
    (root(element) / ".tape.json").write_text(json.dumps({"delay_seconds": 60}))
    return element


def in_minutes(minutes):
    return database_now() + dt.timedelta(minutes=minutes)


def asked(file):
    return StageRequest.objects.filter(file=file).latest("pk")


def test_reading_a_file_that_is_not_staged_asks_for_it_and_is_no_failed_try(tape, disks):
    file = known_file()
    store(tape, file)
    transfer = due(file, disks[2])

    assert engine.run(transfer.pk) is False

    waits = fresh(transfer)
    assert (waits.state, waits.attempts, waits.reason) == ("queued", 0, "waits for tape")
    assert asked(file).state == "requested"


def test_a_staged_file_is_copied_at_once(tape, disks):
    file = known_file()
    store(tape, file)
    transfer = due(file, disks[2])
    engine.run(transfer.pk)

    assert staging.stage(database_now()) == 0
    assert engine.schedule(database_now()) == 0
    later = in_minutes(2)
    assert staging.stage(later) == 1

    assert asked(file).state == "staged"
    assert engine.schedule(later) == 1
    Transfer.objects.update(next_try_at=database_now())
    assert engine.run(transfer.pk) is True
    assert where(disks[2], file).exists()


def test_a_file_that_its_tape_cannot_bring_is_a_failed_try_and_the_last_one_ends_it(tape, disks):
    file = known_file()
    store(tape, file)
    (root(tape) / ".tape.json").write_text(json.dumps({"broken": [file.lfn]}))
    transfer = due(file, disks[2])
    attempts = []

    for _ in range(3):
        Transfer.objects.update(next_try_at=database_now())
        engine.run(transfer.pk)
        assert staging.stage(database_now()) == 1
        attempts.append(fresh(transfer).attempts)

    lost = fresh(transfer)
    assert attempts == [1, 2, 3]
    assert (lost.state, lost.reason) == ("failed", "not staged")
    assert "the tape is broken" in lost.error
    assert StageRequest.objects.filter(state="failed").count() == 3


def test_prestaging_needs_no_transfer_and_tells_when_it_is_done(tape):
    files = [known_file(), known_file()]
    for file in files:
        store(tape, file)
    for _ in range(2):
        staging.prestage([file.pk for file in files], tape, now=database_now())

    staging.stage(database_now())
    assert staging.stage(in_minutes(2)) == 2

    assert [r.state for r in StageRequest.objects.all()] == ["staged", "staged"]
    assert staging.stage(in_minutes(3)) == 0


def test_a_tape_that_does_not_answer_is_said_and_asked_again(tape, tmp_path):
    file = known_file()
    store(tape, file)
    (tmp_path / "tape").rename(tmp_path / "away")
    (tmp_path / "tape").write_text("in the way")
    staging.prestage([file.pk], tape, now=database_now())

    with pytest.raises(Incomplete, match="tape: cannot write"):
        staging.stage(database_now())

    (tmp_path / "tape").unlink()
    (tmp_path / "away").rename(tmp_path / "tape")
    staging.stage(database_now())
    assert staging.stage(in_minutes(2)) == 1


def test_a_tape_that_does_not_answer_keeps_no_other_waiting(tape, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "BATCH", 2)
    (tmp_path / "silent").write_text("in the way")
    silent = create_storage("silent", url=f"file://{tmp_path}/silent", kind="tape")
    staging.prestage([known_file().pk for _ in range(2)], silent, now=database_now())
    file = known_file()
    store(tape, file)
    staging.prestage([file.pk], tape, now=database_now())

    for minute in (0, 1):
        with pytest.raises(Incomplete, match="silent: cannot write"):
            staging.stage(in_minutes(minute))

    assert asked(file).asked_at is not None


def test_a_disk_copy_is_read_rather_than_the_tape(tape, disks):
    file = known_file()
    store(tape, file)
    store(disks[0], file)

    assert engine.run(due(file, disks[2]).pk) is True
    assert not StageRequest.objects.exists()
