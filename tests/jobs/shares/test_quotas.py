"""Quotas of CPU hours in a day: who is over has a lower priority, or waits."""

import pytest

from jobs import assign, quotas
from jobs.models import Job, QuotaHold, Usage, UsageQuota
from jobs.shares import act
from tests.builders import NOW, after, create_job, manned_site

pytestmark = pytest.mark.django_db


def used(name, hours, *, group="", since=None):
    Usage.objects.create(
        since=since or after(hours=-2), hours=1, user=name, working_group=group, site_id=0,
        label="user", cpu_s=hours * 3600, latest=NOW,
    )  # fmt: skip


def quota(name, per_day, *, kind="user", **columns):
    UsageQuota.objects.create(kind=kind, name=name, cpu_hours=0, cpu_hours_day=per_day, **columns)


def activated(user, **columns):
    return create_job(
        "activated", site=manned_site(), prod_source_label="user", prod_user_id=user, **columns
    )


@pytest.mark.parametrize(("hours", "priority"), [(9, 1000), (10, 900), (25, 750)])
def test_a_user_over_the_quota_of_a_day_loses_100_for_each_time(hours, priority):
    quota("alice", 10)
    used("alice", hours)
    used("alice", 500, since=after(hours=-25))
    job = activated("alice")

    act.run(NOW)

    job.refresh_from_db()
    assert job.current_priority == priority


def test_a_working_group_over_its_quota_lets_others_go_first():
    quota("higgs", 10, kind="group")
    used("bob", 30, group="higgs")
    site = manned_site()
    late = create_job("activated", site=site, working_group="higgs", current_priority=100)
    first = create_job("activated", site=site, working_group="top", current_priority=50)

    act.run(NOW)

    assert Job.objects.order_by("-current_priority").first() == first
    late.refresh_from_db()
    assert late.current_priority == 100 - 300


def test_jobs_of_who_is_over_a_hard_limit_wait_and_say_why():
    quota("alice", 10, hard=True)
    used("alice", 12)
    job, other = activated("alice", rebroker_count=2), activated("bob")

    act.run(NOW)
    assign.run(after(minutes=1))

    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.state, other.state) == ("defined", "activated")
    assert job.rebroker_count == 2
    words = "user alice has used 12.0 of 10.0 CPU hours in 24 h"
    assert job.events.last().reason == {"quota": words}


def test_a_hard_limit_ends_with_the_day_and_its_jobs_go_on():
    quota("alice", 10, hard=True)
    used("alice", 12)
    job = activated("alice")
    act.run(NOW)
    assert QuotaHold.objects.get().since == NOW

    later = after(hours=24)
    manned_site(status="online")
    act.run(later)

    assert not QuotaHold.objects.exists()
    assert quotas.held() == ([], [])
    assign.run(after(minutes=1))
    job.refresh_from_db()
    assert job.state == "activated"


def test_a_round_over_a_quota_that_does_not_end_says_since_when():
    quota("alice", 10, hard=True)
    used("alice", 12)
    act.run(NOW)
    used("alice", 2, since=after(hours=-1))

    act.run(after(minutes=1))

    row = QuotaHold.objects.get()
    assert (row.since, row.used_hours) == (NOW, 14)
