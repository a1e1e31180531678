"""The names of live jobs stand apart from the jobs, and are those of the jobs."""

import pytest

from jobs.models import Job, JobName
from tests.builders import create_job, put_away

pytestmark = pytest.mark.django_db


def kept():
    return dict(JobName.objects.values_list("job_id", "name"))


def true():
    return dict(Job.objects.values_list("panda_id", "job_name"))


def test_every_new_job_has_its_name_there():
    create_job("waiting", job_name="one")
    old = create_job("defined", job_name="two")
    Job.objects.bulk_create(
        Job(
            job_name=name, vo=old.vo, owner=old.owner, state="waiting", prod_source_label="managed",
            creation_time=old.creation_time, queued_since=old.queued_since,
            state_change_time=old.state_change_time, modification_time=old.modification_time,
        )
        for name in ("three", "four")
    )  # fmt: skip

    assert len(kept()) == 4
    assert kept() == true()


def test_a_job_that_goes_takes_its_name_along():
    create_job("waiting")
    create_job("waiting").delete()
    create_job("finished")
    put_away()

    assert len(kept()) == 1
    assert kept() == true()


def test_a_mended_name_is_mended():
    job = create_job("waiting", job_name="wrnog")
    job.job_name = "wrong"
    job.save()

    assert kept() == {job.pk: "wrong"}
