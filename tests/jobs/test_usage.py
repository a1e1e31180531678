"""What was used: every end is booked once, in its hour, under who, where and what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection

from jobs import fsck, tally, usage
from jobs.models import FactoryTally, Job, LiveTally, Task, TaskUsage, Usage, UsageBook
from jobs.usage import LONG_AGO
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_pilot,
    create_site,
    create_user,
    put_away,
)

pytestmark = pytest.mark.django_db


def booked() -> dict[str, int]:
    """Ended jobs by user."""
    sums: dict[str, int] = {}
    for row in Usage.objects.all():
        sums[row.user] = sums.get(row.user, 0) + row.finished + row.failed + row.cancelled
    return sums


def ended(*, hours: float, user: str = "alice", state: str = "finished", **columns: Any) -> Job:
    """A job that ended so many hours after NOW, half an hour after its start."""
    end = after(hours=hours)
    start = end - dt.timedelta(minutes=30)
    return create_job(state, at=end, prod_user_id=user, start_time=start, **columns)


def test_an_end_is_booked_with_its_times_under_who_where_and_what() -> None:
    site = create_site()
    ended(hours=-0.5, computing_site=site, cpu_consumption_time=1200, working_group="higgs")
    ended(hours=-0.4, computing_site=site, working_group="higgs", state="failed")

    usage.run(NOW)

    (row,) = Usage.objects.all()
    assert (row.user, row.working_group, row.site_id) == ("alice", "higgs", site.pk)
    assert (row.finished, row.failed, row.cancelled) == (1, 1, 0)
    assert (row.wall_s, row.cpu_s, row.latest) == (3600, 1200, after(hours=-0.4))
    assert (row.since, row.hours) == (after(hours=-1), 1)


def test_transferring_is_no_wall_time() -> None:
    job = ended(hours=-0.5)
    left = after(hours=-0.5, minutes=-20)
    job.events.create(seq=2, attempt_nr=1, from_state="running", to_state="holding", at=left)

    usage.run(NOW)

    assert Usage.objects.get().wall_s == 600


def test_a_job_that_never_ran_has_no_wall_time() -> None:
    create_job("cancelled", at=after(hours=-0.5))

    usage.run(NOW)

    row = Usage.objects.get()
    assert (row.cancelled, row.wall_s, row.site_id) == (1, 0, 0)


def test_however_often_it_runs_each_end_is_booked_once() -> None:
    for hours in (-30, -3, -0.7, -0.1):
        ended(hours=hours)

    for minutes in range(0, 200, 20):
        usage.run(after(minutes=minutes))

    assert booked() == {"alice": 4}
    assert usage.differences() == []


def test_ends_in_the_archive_are_booked_as_well() -> None:
    ended(hours=-24 * 40)
    ended(hours=-24 * 3)
    put_away(before=after(days=-1))
    ended(hours=-0.5)

    usage.run(NOW)

    assert booked() == {"alice": 3}
    assert usage.differences() == []


def test_an_end_that_is_seen_late_is_booked_while_its_hour_is_open() -> None:
    usage.run(NOW)
    ended(hours=-0.01)

    usage.run(after(minutes=5))

    assert booked() == {"alice": 1}


def test_after_a_stop_of_days_every_hour_is_booked() -> None:
    usage.run(NOW)
    for hours in (0.5, 5, 30):
        ended(hours=hours)

    usage.run(after(hours=31))

    assert booked() == {"alice": 3}
    assert UsageBook.objects.get().until == after(hours=30)


def test_days_gone_by_are_one_row_and_older_hours_of_a_task_too() -> None:
    site, task = create_site(), Task.objects.create(name="t", owner=create_user(), created_at=NOW)
    for hours in (-80, -79, -78, -0.5):
        ended(hours=hours, computing_site=site, task=task, cpu_consumption_time=10)

    usage.run(NOW)

    rows = Usage.objects.order_by("since").values_list("since", "hours", "finished", "cpu_s")
    assert list(rows) == [(after(hours=-84), 24, 3, 30), (after(hours=-1), 1, 1, 10)]
    kept = TaskUsage.objects.order_by("since").values_list("since", "finished")
    assert list(kept) == [(LONG_AGO, 3), (after(hours=-1), 1)]


def test_days_that_are_too_old_are_forgotten(settings: Any) -> None:
    settings.PANDASITE = settings.PANDASITE | {"USAGE_DAYS": 31}
    ended(hours=-24 * 40)

    usage.run(NOW)

    assert booked() == {}
    assert usage.differences() == []


def test_input_files_are_done_or_lost_with_their_jobs() -> None:
    task = Task.objects.create(name="t", owner=create_user(), created_at=NOW)
    ended(hours=-0.5, task=task, inputs=[create_file(), create_file()])
    ended(hours=-0.5, task=task, state="failed", inputs=[create_file()])
    again = ended(hours=-0.5, task=task, state="failed", inputs=[create_file()])
    create_job("defined", task=task, retry_of=again.pk)

    usage.run(NOW)

    row = TaskUsage.objects.get()
    assert (row.inputs_done, row.inputs_lost, row.failed, row.lost) == (2, 1, 2, 1)


def test_a_wrong_sum_and_a_lost_one_are_found() -> None:
    task = Task.objects.create(name="t", owner=create_user(), created_at=after(hours=-6))
    ended(hours=-5, task=task)
    ended(hours=-30)
    usage.run(NOW)
    assert fsck.check() == []

    Usage.objects.filter(since=after(hours=-5)).update(cpu_s=7)
    Usage.objects.filter(since=after(hours=-30)).delete()
    TaskUsage.objects.update(finished=2)

    assert usage.differences() == [
        "usage of 2009-09-16: 0 jobs with 0 s of CPU time are booked, found 1 with 0 s",
        "usage of 2009-09-17: 1 jobs with 7 s of CPU time are booked, found 1 with 0 s",
        f"task {task.pk}: 2 ended jobs are booked, found 1",
    ]


def test_live_jobs_are_tallied_and_ended_ones_are_not() -> None:
    site, task = create_site(), Task.objects.create(name="t", owner=create_user(), created_at=NOW)
    for _ in range(2):
        create_job("running", site=site, task=task, inputs=[create_file()])
    create_job("defined", prod_user_id="bob")
    create_job("failed", site=site)

    tally.run(NOW)
    tally.run(NOW)

    rows = LiveTally.objects.order_by("user").values_list("user", "task_id", "state", "n", "inputs")
    assert list(rows) == [("alice", task.pk, "running", 2, 2), ("bob", 0, "defined", 1, 0)]


def test_pilots_are_tallied_by_factory_and_site() -> None:
    site = create_site()
    create_pilot(site, factory="f1", claims=5, jobs=2)
    create_pilot(site, factory="f1", claims=3, last_contact=after(hours=-5))
    create_pilot(site, factory="f1", last_contact=after(hours=-25))

    tally.run(NOW)

    row = FactoryTally.objects.get()
    assert (row.pilots, row.lately, row.idle, row.calls, row.jobs) == (2, 1, 1, 8, 2)


def test_ended_jobs_of_a_pilot_are_found_by_an_index() -> None:
    pilot = create_pilot(create_site())
    ended(hours=-0.5, pilot=pilot)
    put_away()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT * FROM jobs_endedjob WHERE pilot_id = %s", [pilot.pk])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert f"Index Cond: (pilot_id = {pilot.pk})" in plan
