"""The counts that the dashboard reads equal the rows, whoever changed them."""

import datetime as dt
import random

import pytest
from django.db import IntegrityError, transaction

from jobs import counts, countsums, services
from jobs.models import CountDelta, EndedTotal, Job, JobCount
from jobs.states import LEASED, MOVES, JobState
from monitor.words import WINDOWS
from tests.builders import NOW, after, create_cloud, create_job, create_site

pytestmark = pytest.mark.django_db
COLUMNS = {
    "job_name": "evgen.1", "prod_source_label": "managed", "transformation": "evgen.py",
    "queued_since": NOW, "state_change_time": NOW, "modification_time": NOW,
}  # fmt: skip


def read(**kwargs):
    """{(state, payload_error): n} of all sites."""
    numbers = {}
    for count in counts.read(ended_since=kwargs.pop("ended_since", NOW), **kwargs):
        key = (count.state, count.payload_error)
        numbers[key] = numbers.get(key, 0) + count.n
    return numbers


def test_no_jobs_are_no_counts():
    assert counts.read(ended_since=NOW) == []


def test_a_new_job_is_counted():
    site = create_site()
    create_job("running", site=site)

    (count,) = counts.read(ended_since=NOW)

    assert (count.cloud_id, count.site_id) == (site.cloud_id, site.pk)
    assert (count.label, count.state, count.n) == ("managed", "running", 1)
    assert count.latest == NOW


def test_new_jobs_of_one_statement_that_count_alike_are_one_delta():
    old = create_job("defined")
    CountDelta.objects.all().delete()

    Job.objects.bulk_create(
        Job(**COLUMNS, vo=old.vo, owner=old.owner, state=state, creation_time=NOW)
        for state in ("defined", "defined", "waiting")
    )

    deltas = CountDelta.objects.order_by("n").values_list("state", "n", "latest")
    assert list(deltas) == [("waiting", 1, NOW), ("defined", 2, NOW)]


def test_a_job_without_a_site_is_counted_under_nought():
    create_job("defined")

    (count,) = counts.read(ended_since=NOW)

    assert (count.cloud_id, count.site_id) == (0, 0)


def test_a_moved_job_is_counted_where_it_is_now():
    job = create_job("waiting")

    services.wake([job.pk], now=after(minutes=5))

    assert read() == {("defined", False): 1}
    assert counts.read(ended_since=NOW)[0].latest == after(minutes=5)


def test_a_deleted_job_is_not_counted():
    job = create_job("defined")

    Job.objects.filter(pk=job.pk).delete()

    assert read() == {}


def test_a_change_from_the_shell_is_counted_too():
    job = create_job("defined")

    Job.objects.filter(pk=job.pk).update(cloud=create_cloud("FR"))

    assert counts.read(ended_since=NOW)[0].cloud_id == create_cloud("FR").pk
    assert counts.differences() == []


def test_a_move_that_is_rolled_back_leaves_no_trace():
    job = create_job("waiting")
    before = read()

    with pytest.raises(IntegrityError), transaction.atomic():
        services.wake([job.pk], now=NOW)
        Job.objects.filter(pk=job.pk).update(end_time=NOW)

    assert read() == before


def test_a_failure_of_the_payload_is_told_from_the_others():
    create_job("failed", exe_error_code=60000)
    create_job("failed", trans_error_code=5)
    create_job("failed", pilot_error_code=1201)

    assert read() == {("failed", True): 2, ("failed", False): 1}


def test_ends_are_counted_from_the_full_hour_on_and_live_jobs_always():
    create_job("finished", at=after(minutes=10))
    create_job("finished", at=after(hours=-1))
    create_job("running", at=after(days=-5))

    assert read(ended_since=after(minutes=50)) == {("finished", False): 1, ("running", False): 1}
    assert read(ended_since=after(hours=-1)) == {("finished", False): 2, ("running", False): 1}


def test_counts_can_be_asked_by_label():
    create_job("running", prod_source_label="user")
    create_job("running")

    assert read(labels=["user"]) == {("running", False): 1}
    assert read(labels=[]) == {}


def test_folding_changes_no_number():
    for state in JobState:
        create_job(state)
    before = sorted(map(str, counts.read(ended_since=NOW)))

    counts.fold()

    assert not CountDelta.objects.exists()
    assert sorted(map(str, counts.read(ended_since=NOW))) == before


def test_folding_twice_is_folding_once():
    create_job("running")

    assert (counts.fold(), counts.fold()) == (1, 0)
    assert JobCount.objects.get().n == 1


@pytest.mark.parametrize("moves", [40, pytest.param(120, marks=pytest.mark.long)])
def test_counts_equal_the_rows_after_any_moves(moves):
    chance = random.Random(2009)
    jobs = [create_job("defined", site=create_site()) for _ in range(5)]
    for minute in range(moves):
        job = Job.objects.get(pk=chance.choice(jobs).pk)
        followers = sorted(MOVES[JobState(job.state)])
        if followers:
            to = chance.choice(followers)
            lease = {"lease_until": NOW, "lease_sha256": "x"} if to in LEASED else {}
            services.must_move(job, to, actor="chance", now=after(minutes=minute), **lease)
        else:
            jobs.append(create_job("waiting", site=create_site(), at=after(minutes=minute)))
        if minute % 17 == 0:
            counts.fold()
        assert counts.differences() == []


# -- hours that no page shows ------------------------------------------------------------------

OLD, LATER = after(days=-32), after(minutes=1)


def test_old_hours_are_merged_into_one_and_every_job_is_still_counted():
    site = create_site()
    for hours in range(3):
        create_job("finished", site=site, at=OLD - dt.timedelta(hours=hours))
        create_job("failed", site=site, at=OLD - dt.timedelta(hours=hours))
    create_job("running", site=site, at=OLD)
    counts.fold()

    assert counts.merge_old(NOW) == 6

    assert sorted(JobCount.objects.values_list("state", "n")) == [
        ("failed", 3),
        ("finished", 3),
        ("running", 1),
    ]
    assert counts.differences() == []


def test_what_the_pages_show_is_not_touched_by_a_merge():
    assert max(WINDOWS) < counts.HOURS_KEPT
    longest = dt.timedelta(hours=max(WINDOWS))
    create_job("finished", at=OLD)
    create_job("finished", at=NOW - longest)
    create_job("running", at=OLD)
    counts.fold()
    before = read(ended_since=NOW - longest)

    counts.merge_old(NOW)

    assert read(ended_since=NOW - longest) == before == {
        ("finished", False): 1,
        ("running", False): 1,
    }  # fmt: skip


def test_merging_twice_is_merging_once():
    create_job("finished", at=OLD)
    counts.fold()

    assert (counts.merge_old(NOW), counts.merge_old(LATER)) == (1, 0)
    assert counts.differences() == []


def test_what_ever_ended_is_known_without_its_hours():
    site = create_site()
    for days in (40, 2, 0):
        create_job("finished", site=site, at=after(days=-days))
    gone = create_job("failed", site=site, exe_error_code=5)
    create_job("running", site=site)
    counts.fold()
    counts.merge_old(NOW)

    def ever():
        return countsums.by_value(ended_since=countsums.EVER)["state"]

    assert ever() == {"finished": 3, "failed": 1, "running": 1}
    # also what is not folded yet
    Job.objects.filter(pk=gone.pk).delete()
    create_job("finished")
    assert ever() == {"finished": 4, "running": 1}
    counts.fold()
    assert ever() == {"finished": 4, "running": 1}
    assert countsums.total(ended_since=countsums.EVER) == 5
    assert countsums.total(ended_since=None) == 1
    assert counts.differences() == []


def test_a_wrong_total_is_found():
    create_job("finished")
    counts.fold()
    EndedTotal.objects.update(n=3)

    (line,) = counts.differences()

    assert "finished: 3 in all, 1 by the hour" in line


def test_a_job_that_ended_long_ago_and_is_deleted_is_not_counted_any_more():
    job, kept = (create_job("finished", at=OLD) for _ in range(2))
    counts.fold()
    counts.merge_old(NOW)

    Job.objects.filter(pk=job.pk).delete()

    assert counts.differences() == []
    counts.fold()
    counts.merge_old(LATER)
    assert counts.differences() == []
    assert JobCount.objects.get().n == 1
    assert Job.objects.get() == kept


def test_a_wrong_count_is_found():
    create_job("running")
    counts.fold()
    JobCount.objects.update(n=3)

    (line,) = counts.differences()

    assert "running: counted 3, found 1" in line
