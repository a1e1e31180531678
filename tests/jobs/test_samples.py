"""Samples of what a running job needs: few for each attempt, and in a table for each day."""

from __future__ import annotations

import pytest
from django.db import connection

from jobs import closing, samples
from tests.builders import NOW, after, create_job
from tests.jobs.asking import say

pytestmark = pytest.mark.django_db


def test_the_first_half_days_samples_are_a_quarter_of_a_lease_apart(site, pilots):
    job = create_job("running", site=site)

    for n in range(1, 13):  # every ten minutes
        say(pilots, job.pk, "running", seq=n, now=after(minutes=10 * n), cpu_consumption_time=n)

    found = samples.of_job(job.pk)
    assert [one["at"] for one in found] == [after(minutes=30 * n) for n in range(1, 5)]
    assert [one["cpu_consumption_time"] for one in found] == [3, 6, 9, 12]


def test_an_attempt_has_at_most_48_samples_however_long_and_often_it_speaks():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(DISTINCT jobs_sample_slot(%s, %s + n * interval '10 s', 1800))"
            " FROM generate_series(0, 200000) n",  # 23 days
            [NOW, NOW],
        )
        (slots,) = cursor.fetchone()

    assert slots == list(range(48))


def test_the_first_running_word_is_sampled_and_one_without_measurement_is_not(site, pilots):
    job = create_job("starting", site=site)

    say(pilots, job.pk, "running", seq=1, max_rss_mb=700)
    say(pilots, job.pk, "running", seq=2, now=after(hours=1))

    assert [(one["rss_mb"], one["attempt_nr"]) for one in samples.of_job(job.pk)] == [(700, 1)]


def partitions() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = 'jobs_sample'::regclass AND relname LIKE 'jobs_sample_2009%'"
            " ORDER BY relname"
        )
        return [row[0] for row in cursor.fetchall()]


def test_days_are_made_ahead_and_dropped_when_their_time_is_over(site, pilots):
    job = create_job("running", site=site)
    say(pilots, job.pk, "running", max_rss_mb=700, now=after(minutes=30))  # of no day yet

    closing.housekeep(NOW)
    assert partitions() == [f"jobs_sample_200909{day}" for day in (17, 18, 19, 20)]
    assert len(samples.of_job(job.pk)) == 1

    closing.housekeep(after(days=3))
    assert partitions()[0] == "jobs_sample_20090917"
    closing.housekeep(after(days=4))

    assert partitions()[0] == "jobs_sample_20090918"
    assert samples.of_job(job.pk) == []
