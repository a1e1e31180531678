"""A job of any age is looked for where it lies."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import AnyJob
from tests.builders import after, create_job, create_site, put_away

pytestmark = pytest.mark.django_db


def test_a_job_is_found_on_either_side_and_in_every_week():
    old = [create_job("failed", at=after(days=-7 * week)) for week in range(3)]
    put_away()
    live = create_job("running", site=create_site())

    for job in [*old, live]:
        assert AnyJob.objects.known(job.pk).get().job_name == job.job_name


def test_a_number_that_no_job_has_finds_none():
    assert not AnyJob.objects.known(123).exists()
    assert not AnyJob.objects.successor_of(123).exists()


@pytest.mark.parametrize("ended", [True, False])
def test_the_successor_is_found_on_either_side(ended):
    failed = create_job("failed")
    successor = create_job("finished" if ended else "waiting", retry_of=failed.pk)
    if ended:
        put_away()

    assert AnyJob.objects.successor_of(failed.pk).get().pk == successor.pk
    assert not AnyJob.objects.successor_of(successor.pk).exists()


def test_only_the_week_of_the_job_is_asked_for_it():
    for week in range(3):
        job = create_job("failed", at=after(days=-7 * week))
    put_away()

    with CaptureQueriesContext(connection) as asked:
        AnyJob.objects.known(job.pk).get()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + asked[-1]["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert plan.count("on jobs_endedjob_") == 1
    assert "on jobs_job" not in plan


def test_jobs_with_an_error_are_found_without_a_look_at_all_others():
    for code in [0] * 40 + [1099]:
        create_job("failed", pilot_error_code=code)
    wanted = AnyJob.objects.filter(pilot_error_code=1099, transformation="evgen.py")

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")  # what the tests before left there says nothing of these
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "job_with_error" in wanted.order_by("-panda_id")[:101].explain()
