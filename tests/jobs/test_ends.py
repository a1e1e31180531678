"""The sums of what became of ended jobs equal the jobs, whoever ends, moves or deletes them."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from django.db import connection, transaction

from jobs import ends, errors, fsck, retention, services
from jobs.ends import Span
from jobs.models import EndDelta, ErrorCount, Job, NodeCount, WorkflowCount
from jobs.states import FINAL, LEASED, MOVES, JobState
from tests.builders import NOW, after, create_job, create_site, put_away

pytestmark = pytest.mark.django_db
DAY = Span.of_hours(NOW, 24)


def told(*by: str, span: Span = DAY, **only: Any) -> dict[tuple[Any, ...], int]:
    return {s.key: s.n for s in ends.errors(span, by=by or ("component", "code"), **only)}


def test_no_ended_jobs_are_no_sums() -> None:
    create_job("running")

    assert ends.errors(DAY, by=["component"]) == []
    assert ends.differences(10) == []


def test_a_failed_job_is_summed_under_its_error_with_what_it_cost() -> None:
    # given
    site = create_site()
    create_job(
        "failed", site=site, at=NOW, start_time=after(hours=-2), core_count=4,
        cpu_consumption_time=3600, pilot_error_code=1099, node="wn7.example.org",
    )  # fmt: skip
    # when
    (found,) = ends.errors(DAY, by=["site_id", "domain", "state", "component", "code"])
    # then
    assert found.key == (site.pk, "example.org", "failed", "pilot", 1099)
    assert (found.n, found.jobs, found.cpu_s, found.lost_s) == (1, 1, 3600, 3600)
    assert found.busy_s == 4 * 7200
    assert found.latest == NOW


def test_a_job_with_two_errors_carries_both_and_counts_once_under_the_payloads() -> None:
    create_job("failed", pilot_error_code=1305, exe_error_code=60010, cpu_consumption_time=50)

    found = {s.key: (s.n, s.jobs, s.cpu_s, s.lost_s) for s in ends.errors(DAY, by=["component"])}

    assert found == {("exe",): (1, 1, 50, 50), ("pilot",): (1, 0, 50, 0)}


def test_a_failure_without_a_code_is_told_and_an_end_without_failure_has_no_error() -> None:
    create_job("failed")
    create_job("finished", pilot_error_code=1099)
    create_job("cancelled", task_buffer_error_code=100)

    assert told("state", "component") == {
        ("failed", "none"): 1,
        ("finished", ""): 1,
        ("cancelled", ""): 1,
    }


@pytest.mark.parametrize(
    ("node", "domain"),
    [
        ("wn12.example.org", "example.org"),
        ("slot1@WN12.Example.ORG", "example.org"),
        ("wn12", ""),
        ("10.0.0.1", ""),
        ("fe80::1", ""),
        ("", ""),
    ],
)
def test_the_domain_is_what_follows_the_first_dot_of_a_name(node: str, domain: str) -> None:
    create_job("failed", node=node)

    assert told("domain") == {(domain,): 1}


def test_a_job_is_busy_until_the_last_word_of_its_pilot() -> None:
    # given an hour of work and a day until the outputs were where they should be
    job = create_job("running", at=after(hours=-30), start_time=after(hours=-30))
    jobs = Job.objects.filter(pk=job.pk)
    for to, at in (("holding", -29), ("transferring", -28), ("finished", -1)):
        assert services.move(jobs, JobState(to), actor="tests", now=after(hours=at))
    # when
    (found,) = ends.errors(DAY, by=["state"])
    # then
    assert (found.key, found.busy_s) == (("finished",), 3600)
    put_away()
    assert ends.differences(10) == []


def test_a_job_that_never_ran_was_not_busy() -> None:
    create_job("failed", start_time=None, brokerage_error_code=100)

    assert [s.busy_s for s in ends.errors(DAY, by=["state"])] == [0]


def test_windows_begin_at_full_hours_and_long_ones_at_midnight() -> None:
    now = NOW.replace(minute=40)

    assert Span.of_hours(now, 1).since == after(hours=-1)
    assert Span.of_hours(now, 48).since == after(hours=-48)
    assert Span.of_hours(now, 49).since == dt.datetime(2009, 9, 15, tzinfo=dt.UTC)
    assert Span.of_hours(now, 720).since == dt.datetime(2009, 8, 18, tzinfo=dt.UTC)


def test_only_what_ended_within_the_span_is_summed() -> None:
    for hours in (-30, -3, -1):
        create_job("failed", at=after(hours=hours), exe_error_code=1)

    assert told() == {("exe", 1): 2}
    assert told(span=Span(since=after(hours=-40), until=after(hours=-3))) == {("exe", 1): 1}


def test_sums_can_be_narrowed_by_any_key() -> None:
    site = create_site()
    create_job("failed", site=site, exe_error_code=1, prod_source_label="user")
    create_job("failed", exe_error_code=1)

    assert told(label=["user"]) == told(site_id=[site.pk]) == {("exe", 1): 1}
    assert told(label=[]) == {}
    assert told(label=None) == {("exe", 1): 2}
    with pytest.raises(ValueError, match="not kept by node"):
        ends.errors(DAY, by=["node"])


def test_workflows_are_summed_for_failures_only() -> None:
    site = create_site()
    create_job("failed", site=site, processing_type="simul", exe_error_code=1,
               cpu_consumption_time=9)  # fmt: skip
    create_job("finished", site=site, processing_type="simul")
    by = ("processing_type", "transformation", "site_id", "component", "code")
    expected = [(("simul", "evgen.py", site.pk, "exe", 1), 1, 9)]

    assert ends.workflows(DAY, by=by) == expected
    ends.fold(NOW)
    assert ends.workflows(DAY, by=by) == expected


def make_all() -> None:
    """Ends of every kind, at several sites, some with two errors."""
    chance = random.Random(2009)
    sites = [create_site() for _ in range(3)]
    for state in FINAL:
        for n in range(12):
            create_job(
                state, site=chance.choice(sites), at=after(hours=-chance.randrange(60)),
                start_time=after(hours=-100), node=f"wn{n % 3}.example.org",
                cpu_consumption_time=chance.randrange(1000),
                exe_error_code=chance.choice([0, 60010]),
                pilot_error_code=chance.choice([0, 1099, 1305]),
            )  # fmt: skip


def everything() -> list[str]:
    span = Span(since=after(days=-50))
    anywhere = ends.errors(span, by=[k for k in ends.ERROR_KEYS if k not in ("site_id", "domain")])
    return sorted(map(str, [*ends.errors(span, by=ends.ERROR_KEYS), *anywhere]))


def test_folding_and_merging_change_no_sum() -> None:
    make_all()
    before, later = everything(), after(days=6)

    assert ends.fold(NOW) > 36
    assert not EndDelta.objects.exists()
    assert everything() == before
    assert ends.merge_old(later) > 0
    assert everything() == before
    assert ends.merge_old(later) == 0
    assert fsck.check() == []
    hours = set(ErrorCount.objects.values_list("hour", flat=True))
    hours |= set(NodeCount.objects.values_list("hour", flat=True))
    hours |= set(WorkflowCount.objects.values_list("hour", flat=True))
    assert {hour.hour for hour in hours} == {0}


def test_nodes_are_forgotten_after_a_month_and_errors_never() -> None:
    make_all()
    ends.fold(NOW)
    week = Span(since=after(days=-7))
    n = sum(s.n for s in ends.errors(week, by=["state"]))
    assert n and NodeCount.objects.exists() and WorkflowCount.objects.exists()

    ends.merge_old(after(days=40))
    assert not NodeCount.objects.exists() and not WorkflowCount.objects.exists()
    assert sum(s.n for s in ends.errors(week, by=["state"])) == n

    ends.merge_old(after(days=150))
    assert ends.errors(week, by=["state"]) == []
    assert ends.differences(10) == []


def test_the_archive_changes_no_sum() -> None:
    make_all()
    before = everything()

    put_away()

    assert everything() == before
    assert fsck.check() == []


def test_a_week_that_is_dropped_is_in_no_sum() -> None:
    make_all()
    put_away()
    create_job("failed", at=after(days=-20), exe_error_code=1)  # which is not in the archive
    ends.fold(NOW)
    ends.merge_old(after(days=7))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert retention.drop(retention.weeks_before(after(days=30)), now=after(days=30))

    assert sum(s.n for s in ends.errors(Span(since=after(days=-50)), by=["state"])) == 1
    assert fsck.check() == []


def test_a_deleted_job_and_a_changed_one_are_summed_anew() -> None:
    one, other = (create_job("failed", exe_error_code=1, node="a.org.uk") for _ in range(2))

    Job.objects.filter(pk=one.pk).delete()
    Job.objects.filter(pk=other.pk).update(exe_error_code=2)

    assert told() == {("exe", 2): 1}
    assert ends.differences(10) == []


def test_an_end_that_is_rolled_back_is_in_no_sum() -> None:
    job = create_job("running")
    with transaction.atomic():
        services.fail(Job.objects.filter(pk=job.pk), errors.LOST_HEARTBEAT, actor="t", now=NOW)
        transaction.set_rollback(True)
    assert told() == {}


@pytest.mark.parametrize("moves", [40, pytest.param(120, marks=pytest.mark.long)])
def test_sums_equal_the_jobs_after_any_moves(moves: int) -> None:
    chance = random.Random(7)
    jobs = [create_job("defined", site=create_site()) for _ in range(5)]
    for minute in range(moves):
        job = Job.objects.get(pk=chance.choice(jobs).pk)
        followers = sorted(MOVES[JobState(job.state)])
        if followers:
            to = chance.choice(followers)
            lease = {"lease_until": NOW, "lease_sha256": "x"} if to in LEASED else {}
            lease |= {"start_time": after(minutes=minute)} if to == "running" else {}
            services.must_move(job, to, actor="chance", now=after(minutes=minute), **lease)
        else:
            jobs.append(create_job("waiting", site=create_site(), at=after(minutes=minute)))
        if minute % 17 == 0:
            ends.fold(after(minutes=minute))
            put_away()
            jobs = [job for job in jobs if Job.objects.filter(pk=job.pk).exists()]
        assert ends.differences(10) == []


def test_empty_sums_are_filled_from_the_jobs_with_what_ends_meanwhile() -> None:
    make_all()
    before = everything()
    EndDelta.objects.all().delete()
    put_away(before=after(hours=-10))
    create_job("finished", at=after(hours=-59))  # of which the trigger has told already
    n = EndDelta.objects.count()

    ends.recount(NOW)

    assert EndDelta.objects.count() == n
    Job.objects.get(state="finished", start_time=None).delete()
    assert everything() == before
    assert ends.differences(10) == []
