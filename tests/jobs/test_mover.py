"""PandaMover: which transfers become jobs, how many at once, and what becomes of them."""

from __future__ import annotations

import pytest

from datasets.demand import request_transfers
from datasets.models import MoverRule, Replica, Subscription, Transfer
from datasets.subscriptions import subscribe
from datasets.wanted import assign_carriers
from jobs import closing, mover, register
from jobs.models import Job, JobFile, Move
from tests.builders import (
    GUID,
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_replica,
    create_storage,
)
from tests.jobs.carrying import Grid

pytestmark = pytest.mark.django_db


def states() -> list[str]:
    return list(Transfer.objects.order_by("pk").values_list("state", flat=True))


def test_what_no_rule_names_is_the_engines():
    grid = Grid(destination=create_storage("OTHER"))

    grid.want()

    assert Transfer.objects.due(NOW).count() == 1
    assert mover.run(NOW) == 0
    assert not Job.objects.exists()


def test_a_transfer_of_a_movers_channel_is_left_by_the_engine_and_becomes_a_job():
    grid = Grid()
    (transfer,) = grid.want()

    assert Transfer.objects.due(NOW).count() == 0
    assert mover.run(NOW) == 1

    job = Job.objects.get()
    assert (job.prod_source_label, job.assigned_priority, job.max_attempt) == ("ddm", 200_000, 1)
    assert job.job_parameters.startswith("--source file:///data/bnl --file mc09/")
    transfer.refresh_from_db()
    assert (transfer.state, transfer.source_id, transfer.attempts) == ("copying", grid.source.pk, 1)
    assert mover.run(NOW) == 0


def test_a_copy_that_was_brought_is_registered_and_closes_the_subscription():
    grid = Grid()
    dataset = create_dataset()
    file = create_file(at=[grid.source], dataset=dataset)
    subscribe(dataset, grid.here, activity="production", now=NOW)
    mover.run(NOW)
    job = grid.claim()
    # when
    grid.finish(job)
    # then
    assert Job.objects.get().state == "finished"
    assert Replica.objects.get(file=file, storage=grid.here).state == "available"
    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.bytes_moved, transfer.source_id) == (
        "done",
        1000,
        grid.source.pk,
    )
    assert Subscription.objects.get().state == "done"
    file.refresh_from_db()
    assert file.guid == GUID
    assert JobFile.objects.get(type="output").status == "ready"


def test_a_copy_with_other_content_is_no_replica_and_goes_back():
    grid = Grid()
    (transfer,) = grid.want()
    mover.run(NOW)

    grid.finish(grid.claim(), adler32="00000001")

    assert Job.objects.get().state == "failed"
    assert not Replica.objects.filter(storage=grid.here).exists()
    transfer.refresh_from_db()
    assert (transfer.state, transfer.next_try_at) == ("queued", after(hours=3, seconds=2))
    assert "already registered" in transfer.error


def test_a_failed_job_gives_its_files_back_and_each_travels_alone_after_three_hours():
    grid = Grid()
    grid.want(3)
    mover.run(NOW)
    grid.say(
        grid.claim(), "failed", errors={"exe_error_code": 69999, "exe_error_diag": "no source"}
    )
    register.run(after(seconds=1))

    mover.run(after(seconds=2))

    assert states() == ["queued"] * 3
    assert Transfer.objects.first().error.endswith("failed: no source")
    assert mover.run(after(hours=2)) == 0
    assert mover.run(after(hours=4)) == 3
    assert Job.objects.filter(state="defined").count() == 3


def test_after_ten_attempts_a_transfer_is_given_up(settings):
    settings.PANDASITE = settings.PANDASITE | {"MOVER_ATTEMPTS": 1}
    grid = Grid()
    grid.want()
    mover.run(NOW)
    grid.say(grid.claim(), "failed", exit_code=1)
    register.run(after(seconds=1))

    mover.run(after(seconds=2))

    assert states() == ["failed"]
    assert not Transfer.objects.get().permanent


def test_a_channel_has_no_more_jobs_than_it_may(settings):
    settings.PANDASITE = settings.PANDASITE | {"MOVER_FILES": 2, "MOVER_CHANNEL_JOBS": 3}
    grid = Grid()
    grid.want(20)

    assert mover.run(NOW) == 6
    assert mover.run(NOW) == 0

    grid.finish(grid.claim())
    assert Job.objects.count() == 4
    assert states().count("done") == 2


def test_a_channel_from_tape_may_have_more(settings):
    limits = {"MOVER_FILES": 1, "MOVER_CHANNEL_JOBS": 1, "MOVER_PRESTAGE_JOBS": 4}
    settings.PANDASITE = settings.PANDASITE | limits
    grid = Grid()
    grid.source.kind = "tape"
    grid.source.save()
    grid.want(6)

    assert mover.run(NOW) == 4


def test_a_mover_that_waits_or_runs_too_long_is_killed_and_its_work_goes_back():
    grid = Grid()
    grid.want()
    mover.run(NOW)

    mover.run(after(hours=13))
    assert Job.objects.get().state == "cancelled"
    mover.run(after(hours=13))

    assert states() == ["queued"]
    mover.run(after(hours=17))
    job = grid.claim(after(hours=17))
    grid.say(job, "running", now=after(hours=17))
    mover.run(after(hours=21))
    assert Job.objects.get(pk=job["panda_id"]).command == "tobekilled"


def test_a_cloud_is_switched_on_and_off():
    cloud = create_cloud("US")
    grid = Grid(cloud=cloud)
    (transfer,) = grid.want()
    transfer.refresh_from_db()
    assert transfer.carrier == "mover"

    MoverRule.objects.update(enabled=False)
    assign_carriers()

    transfer.refresh_from_db()
    assert transfer.carrier == ""
    MoverRule.objects.update(enabled=True)
    assign_carriers()
    assert mover.run(NOW) == 1


def test_a_rule_with_a_source_is_for_what_lies_there():
    other = create_storage("CERN_DISK")
    grid = Grid(destination=create_storage("X"))
    MoverRule.objects.create(destination=grid.here, source=other)

    grid.want()
    file = create_file(at=[other, grid.source])
    request_transfers([file], grid.here, now=NOW)

    assert Transfer.objects.filter(carrier="mover").get().file == file
    mover.run(NOW)
    assert Move.objects.get().source == other


def test_what_a_job_carried_is_forgotten_after_a_month_and_what_one_carries_is_not():
    grid = Grid()
    (brought, _carried) = [*grid.want(), *grid.want()]
    mover.run(NOW)
    Move.objects.filter(transfer=brought).update(settled_at=NOW)

    closing.housekeep(after(days=30))
    assert Move.objects.count() == 2
    closing.housekeep(after(days=31))

    (left,) = Move.objects.all()
    assert left.settled_at is None
    assert Transfer.objects.count() == 2


def test_a_file_without_a_good_replica_fails_for_good():
    grid = Grid()
    grid.want()
    Replica.objects.update(state="bad")

    mover.run(NOW)

    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.permanent) == ("failed", True)
    assert not Job.objects.exists()


def test_a_file_that_came_otherwise_is_not_brought_again():
    grid = Grid()
    dataset = create_dataset()
    file = create_file(dataset=dataset, at=[grid.source])
    subscribe(dataset, grid.here, activity="production", now=NOW)
    create_replica(file, grid.here)

    assert mover.run(NOW) == 0

    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.bytes_moved) == ("done", 0)
    assert Subscription.objects.get().state == "done"
    assert not Job.objects.exists()


def test_the_channel_says_what_the_files_are_for():
    grid = Grid()
    block = create_dataset("x_dis1", type="dispatch", state="frozen")
    create_file(at=[grid.source], dataset=block)
    subscribe(block, grid.here, activity="production", now=NOW)
    grid.want()

    mover.run(NOW)

    assert sorted(Move.objects.values_list("type", flat=True)) == ["ddm", "dis"]
