"""Waiting jobs are defined as soon as all their input can be read somewhere."""

import pytest

from jobs import wake
from jobs.models import Job
from tests.builders import NOW, create_file, create_job, create_replica, create_storage

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


def waiting_for(*lfns):
    """A waiting job whose inputs nobody has made yet."""
    job = create_job("waiting")
    for lfn in lfns:
        job.files.create(type="input", scope="mc09", lfn=lfn)
    return job


def test_a_job_wakes_when_its_last_input_appears():
    job = waiting_for("EVNT.1", "EVNT.2")
    first = create_file("EVNT.1", at=[create_storage()])

    assert wake.run(NOW) == 0
    second = create_file("EVNT.2", at=[create_storage()])
    assert wake.run(NOW) == 1

    assert fresh(job).state == "defined"
    assert {f.file for f in job.files.all()} == {first, second}


def test_a_second_run_finds_nothing_to_do():
    waiting_for()

    assert (wake.run(NOW), wake.run(NOW)) == (1, 0)


def test_a_file_without_a_readable_replica_does_not_wake_the_job():
    job, file = waiting_for("EVNT.1"), create_file("EVNT.1")
    create_replica(file, create_storage(), state="bad")

    assert wake.run(NOW) == 0
    assert fresh(job).state == "waiting"


def test_a_file_of_that_name_in_another_scope_does_not_wake_the_job():
    waiting_for("EVNT.1")
    create_file("EVNT.1", scope="mc08", at=[create_storage()])

    assert wake.run(NOW) == 0


def test_outputs_are_not_waited_for():
    job = create_job("waiting", outputs=["HIST.1"])

    wake.run(NOW)

    assert fresh(job).state == "defined"
    assert job.files.get().file is None


@pytest.mark.parametrize("state", ["defined", "assigned", "running", "cancelled"])
def test_jobs_that_do_not_wait_are_left_alone(state):
    job = create_job(state)

    assert wake.run(NOW) == 0
    assert fresh(job).state == state


def test_known_files_are_those_with_a_good_replica():
    good = create_file("EVNT.1", at=[create_storage()])
    create_file("EVNT.2")

    known = wake.known_files([("mc09", "EVNT.1"), ("mc09", "EVNT.2"), ("mc09", "EVNT.3")])

    assert known == {("mc09", "EVNT.1"): good.pk}


def test_no_names_are_no_files():
    create_file(at=[create_storage()])

    assert wake.known_files([]) == {}
