"""A transfer that failed: when it is tried again, and when it is given up."""

import datetime as dt

import pytest

from datasets import engine
from datasets.models import Transfer
from pandasite.base.clock import database_now
from tests.datasets.disks import (
    due,
    fresh,
    known_file,
    replica,
    store,
    wait_over,
    where,
)

pytestmark = pytest.mark.django_db


def test_a_failure_that_may_pass_is_tried_again_with_growing_pauses(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file).unlink()
    transfer = due(file, aglt2)
    pauses = []

    for _ in range(2):
        before = database_now()
        engine.run(transfer.pk)
        again = fresh(transfer)
        assert (again.state, again.lease_until) == ("queued", None)
        pauses.append(round((again.next_try_at - before).total_seconds()))
        wait_over(transfer)
    engine.run(transfer.pk)

    assert pauses == [30, 60]
    assert (fresh(transfer).state, fresh(transfer).attempts) == ("failed", 3)
    assert "bnl: cannot read at" in fresh(transfer).error


def tried_to_the_end(transfer):
    """The transfer after all of its tries."""
    for _ in range(3):
        wait_over(transfer)
        engine.run(transfer.pk)
    return fresh(transfer)


def test_a_file_that_its_only_storage_has_lost_can_never_come(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file).unlink()

    given_up = tried_to_the_end(due(file, aglt2))

    assert (given_up.state, given_up.permanent) == ("failed", True)
    assert replica(file, bnl).state == "bad"
    assert "No such file" in replica(file, bnl).reason


def test_a_source_that_is_away_as_a_whole_may_come_back(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "bnl").rename(tmp_path / "unmounted")
    (tmp_path / "bnl").mkdir()

    given_up = tried_to_the_end(due(file, aglt2))

    assert (given_up.state, given_up.permanent) == ("failed", False)
    assert replica(file, bnl).state == "available"


def test_a_destination_that_is_down_is_no_reason_to_give_up_for_good(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "aglt2").rmdir()
    (tmp_path / "aglt2").write_text("a file in the way")

    given_up = tried_to_the_end(due(file, aglt2))

    assert (given_up.state, given_up.permanent) == ("failed", False)


def test_a_destination_that_cannot_be_written_is_tried_again(disks, tmp_path):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    (tmp_path / "aglt2").rmdir()
    (tmp_path / "aglt2").write_text("a file in the way")
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is False
    assert fresh(transfer).state == "queued"
    assert "cannot write at" in fresh(transfer).error

    (tmp_path / "aglt2").unlink()
    wait_over(transfer)
    assert engine.run(transfer.pk) is True


def test_a_name_that_cannot_be_given_is_tried_again(disks):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    where(aglt2, file).mkdir(parents=True)
    (where(aglt2, file) / "in the way").touch()
    transfer = due(file, aglt2)

    assert engine.run(transfer.pk) is False

    assert fresh(transfer).state == "queued"
    assert not replica(file, aglt2)


def test_a_transfer_that_rests_is_not_offered(disks):
    file = known_file()
    transfer = due(file, disks[2])
    later = database_now() + dt.timedelta(minutes=5)
    Transfer.objects.filter(pk=transfer.pk).update(next_try_at=later)

    assert engine.schedule(database_now()) == 0
    assert engine.schedule(later) == 1
