"""The activation sweep says by looking that input has arrived, or why it cannot."""

import pytest

from datasets.models import Replica, SiteStorage, Transfer
from jobs import activate, fsck, services
from jobs.models import Job
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_replica,
    create_site,
    create_storage,
    create_transfer,
    local_storage,
)

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


def assigned(site, *files, **columns):
    """A job whose files come in a dispatch block."""
    job = create_job("assigned", site=site, inputs=files, **columns)
    block = create_dataset(
        f"panda.EVNT.0.x_dis{job.pk}", type="dispatch", state="frozen",
        destination=local_storage(site),
    )  # fmt: skip
    job.files.update(block=block)
    return job


def test_a_job_is_activated_when_its_last_file_has_arrived():
    site = create_site()
    first, second = create_file(), create_file()
    job = assigned(site, first, second)

    create_replica(first, local_storage(site))
    assert activate.run(after(minutes=1)) == 0
    create_replica(second, local_storage(site))
    assert activate.run(after(minutes=2)) == 1

    assert fresh(job).state == "activated"
    assert {f.status for f in job.files.all()} == {"ready"}
    assert job.events.last().actor == "ddm"
    assert fsck.check() == []


def test_a_second_run_finds_nothing_to_do():
    site = create_site()
    assigned(site, create_file(at=[local_storage(site)]))

    assert activate.run(NOW) == 1
    assert activate.run(NOW) == 0


def test_all_jobs_that_wait_for_one_file_go_together():
    site, file = create_site(), create_file()
    jobs = [assigned(site, file) for _ in range(3)]
    create_replica(file, local_storage(site))

    assert activate.run(NOW) == 3
    assert {fresh(job).state for job in jobs} == {"activated"}


def test_a_file_at_another_site_does_not_help():
    site, elsewhere = create_site(), create_storage()
    job = assigned(site, create_file(at=[elsewhere]))

    activate.run(NOW)

    assert fresh(job).state == "assigned"


def test_a_bad_replica_at_the_site_does_not_count():
    site, file = create_site(), create_file()
    create_replica(file, local_storage(site), state="bad")
    job = assigned(site, file)

    activate.run(NOW)

    assert fresh(job).state == "assigned"


def test_a_file_that_the_site_can_only_read_elsewhere_is_not_yet_there():
    """The pilot is told one storage element, and looks for its input at that one."""
    site, shared = create_site(), create_storage()
    SiteStorage.objects.create(site=site, storage=shared, role="read")
    job = assigned(site, create_file(at=[shared]))

    activate.run(NOW)

    assert fresh(job).state == "assigned"
    assert Transfer.objects.get().destination == local_storage(site)


def test_a_file_that_cannot_come_fails_the_job_with_the_reason():
    site, file = create_site(), create_file("EVNT.1")
    job = assigned(site, file)
    create_transfer(
        file,
        local_storage(site),
        state="failed",
        permanent=True,
        error="no good replica",
        ended_at=after(minutes=5),
    )

    activate.run(after(minutes=6))

    assert fresh(job).state == "failed"
    assert fresh(job).errors() == [("ddm", 100, "mc09:EVNT.1: no good replica")]


def test_two_files_that_cannot_come_fail_the_job_once():
    site, files = create_site(), [create_file(), create_file()]
    job = assigned(site, *files)
    for file in files:
        create_transfer(
            file, local_storage(site), state="failed", permanent=True, ended_at=after(minutes=5)
        )

    assert activate.run(after(minutes=6)) == 1

    assert job.events.filter(to_state="failed").count() == 1


def test_a_file_whose_storage_is_down_is_asked_for_again_after_a_pause():
    site, file = create_site(), create_file()
    job = assigned(site, file)
    create_transfer(
        file, local_storage(site), state="failed", attempts=3, error="timed out",
        ended_at=after(minutes=5),
    )  # fmt: skip

    for _ in range(2):
        activate.run(after(minutes=6))

    again = Transfer.objects.get(state="queued")
    assert (again.next_try_at, again.error) == (after(minutes=8), "timed out")
    assert fresh(job).state == "assigned"


def test_the_pauses_grow_with_each_failure_up_to_the_limit():
    site, file = create_site(), create_file()
    assigned(site, file)
    pauses = []

    for hour in range(1, 4):
        create_transfer(
            file, local_storage(site), state="failed", attempts=3, ended_at=after(hours=hour)
        )
        activate.run(after(hours=hour))
        again = Transfer.objects.get(state="queued")
        pauses.append((again.next_try_at - after(hours=hour)).total_seconds())
        again.delete()

    assert pauses == [120, 300, 300]


def test_a_failure_from_before_the_assignment_does_not_count():
    site, file = create_site(), create_file()
    job = assigned(site, file)
    create_transfer(
        file, local_storage(site), state="failed", permanent=True, ended_at=after(days=-1)
    )

    activate.run(NOW)

    assert fresh(job).state == "assigned"
    assert Transfer.objects.filter(state="queued").count() == 1


def test_a_transfer_that_is_under_way_is_left_alone():
    site, file = create_site(), create_file()
    assigned(site, file)
    create_transfer(file, local_storage(site), state="copying", lease_until=after(minutes=10))

    activate.run(NOW)

    assert Transfer.objects.count() == 1


def test_a_transfer_that_vanished_is_asked_for_again():
    site, file = create_site(), create_file()
    assigned(site, file)

    activate.run(NOW)
    activate.run(NOW)

    assert Transfer.objects.get().destination == local_storage(site)


def test_a_file_that_was_at_the_site_and_went_bad_is_fetched_again():
    site, elsewhere, file = create_site(), create_storage(), create_file()
    create_replica(file, elsewhere)
    create_replica(file, local_storage(site))
    job = create_job("assigned", site=site, inputs=[file])  # in no block: it was there
    Replica.objects.filter(storage=local_storage(site)).update(state="bad")

    activate.run(NOW)

    assert Transfer.objects.get().destination == local_storage(site)
    assert fresh(job).state == "assigned"


def test_a_job_without_input_that_got_stuck_is_let_go():
    job = create_job("assigned")

    activate.run(NOW)

    assert fresh(job).state == "activated"


def test_a_job_that_another_one_holds_does_not_stop_the_others(monkeypatch):
    site, files = create_site(), [create_file(), create_file()]
    jobs = [assigned(site, file) for file in files]
    for file in files:
        create_transfer(
            file, local_storage(site), state="failed", permanent=True, ended_at=after(minutes=5)
        )
    fail = services.fail

    def locked(mine, *args, **kwargs):
        if mine.filter(pk=jobs[0].pk).exists():
            raise database_error("55P03")
        return fail(mine, *args, **kwargs)

    monkeypatch.setattr(services, "fail", locked)

    with pytest.raises(Incomplete, match=f"1 left for next time: job {jobs[0].pk}: "):
        activate.run(after(minutes=6))

    assert [fresh(job).state for job in jobs] == ["assigned", "failed"]


def test_a_job_at_a_site_without_storage_is_left_to_the_watchdog():
    site = create_site(with_storage=False)
    job = create_job("assigned", site=site, inputs=[create_file()])

    assert activate.run(NOW) == 0
    assert (fresh(job).state, Transfer.objects.count()) == ("assigned", 0)


@pytest.mark.parametrize("state", ["defined", "waiting", "activated", "running", "cancelled"])
def test_only_assigned_jobs_are_activated(state):
    job = create_job(state)

    assert activate.run(NOW) == 0
    assert fresh(job).state == state
