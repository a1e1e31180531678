"""The roll-ups hold what the database holds, however they are made and grown."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.db.models import Sum

from datasets.models import Transfer
from jobs.models import AnswerCount, JobEvent
from monitor.models import EndedRoll, LiveRoll, SpreadRoll
from monitor.plots import rollup, rollup_sql
from monitor.plots.buckets import BINS, DAY, HOUR, SAMPLE, bin_of, floor
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_file,
    create_job,
    create_site,
    create_storage,
    local_storage,
    put_away,
)

pytestmark = pytest.mark.django_db
LATER = after(hours=1, minutes=10)  # the hour that begins at NOW is over and settled


def grid(model, **more):
    return model.objects.get(cloud_id=0, site_id=0, **more)


def ended(site, state="finished", **columns):
    """A job that ran for half an hour and ended a quarter past NOW."""
    times = {"creation_time": after(hours=-2), "start_time": after(minutes=-15)}
    job = create_job(state, site=site, at=after(minutes=15), **times | columns)
    JobEvent.objects.filter(job=job).delete()
    path = [("activated", -120), ("running", -15), ("holding", 5), (state, 15)]
    for seq, (to, minute) in enumerate(path, 1):
        job.events.create(
            seq=seq, attempt_nr=1, to_state=to, actor="tests", at=after(minutes=minute)
        )
    return job


def test_live_jobs_are_looked_at_once_in_five_minutes_at_every_level():
    us, fr = (create_site(name, cloud=create_cloud(name[:2])) for name in ("US1", "FR1"))
    for site, n in ((us, 2), (fr, 1)):
        for _ in range(n):
            create_job("running", site=site)
    create_job("defined")
    create_job("finished", site=us)

    assert rollup.sample(after(minutes=3)) == 5
    create_job("running", site=us)
    assert rollup.sample(after(minutes=4)) == 0

    assert {row.start for row in LiveRoll.objects.all()} == {NOW}
    assert (grid(LiveRoll).running, grid(LiveRoll).defined) == (3, 1)
    assert LiveRoll.objects.get(site_id=us.pk).running == 2
    assert LiveRoll.objects.get(cloud_id=fr.cloud_id).running == 1
    assert rollup.sample(after(minutes=5)) > 0
    assert grid(LiveRoll, start=after(minutes=5)).running == 4


def test_an_empty_grid_is_looked_at_too():
    rollup.sample(NOW)

    assert grid(LiveRoll).running == 0
    assert LiveRoll.objects.count() == 1


def test_the_mean_of_an_hour_counts_the_looks_that_found_nothing():
    site = create_site()
    for minute in (0, 5, 10, 15):
        if minute == 10:
            create_job("running", site=site)
        rollup.sample(after(minutes=minute))

    rollup.close_hour(NOW)

    hour = LiveRoll.objects.get(site_id=site.pk, span=HOUR)
    assert (hour.running, hour.samples) == (0.5, 4)
    assert grid(LiveRoll, span=HOUR).running == 0.5


@pytest.mark.parametrize("where", ["live", "archive", "both"])
def test_an_hour_holds_what_ended_in_it_on_both_sides(where):
    us, fr = (create_site(name, cloud=create_cloud(name[:2])) for name in ("US1", "FR1"))
    ended(us, cpu_consumption_time=1200, core_count=2)
    ended(us, "failed", exe_error_code=40)
    if where != "live":
        put_away()
    ended(us, "failed", pilot_error_code=1099)
    ended(fr, "cancelled")
    create_job("finished", site=fr, at=after(minutes=-1))
    create_job("finished", site=fr, at=after(hours=1))
    if where == "archive":
        put_away()

    rollup.close_hour(NOW)

    row = EndedRoll.objects.get(site_id=us.pk)
    assert (row.finished, row.failed, row.payload_failed, row.cancelled) == (1, 2, 1, 0)
    assert (row.wall_seconds, row.core_seconds, row.cpu_seconds) == (5400, 7200, 1200)
    whole = grid(EndedRoll)
    assert (whole.finished, whole.failed, whole.cancelled) == (1, 2, 1)
    assert EndedRoll.objects.get(cloud_id=us.cloud_id).failed == 2


def test_a_job_that_never_had_a_site_counts_for_the_grid():
    create_job("cancelled", at=after(minutes=1))

    rollup.close_hour(NOW)

    assert grid(EndedRoll).cancelled == 1
    assert EndedRoll.objects.count() == 1


def test_answers_to_claims_count_in_their_hour():
    site = create_site()
    for outcome, n in (("job", 5), ("no_job", 7)):
        AnswerCount.objects.create(site_id=site.pk, outcome=outcome, hour=NOW, n=n)
    AnswerCount.objects.create(site_id=site.pk, outcome="job", hour=after(hours=1), n=100)

    rollup.close_hour(NOW)

    row = EndedRoll.objects.get(site_id=site.pk)
    assert (row.handed, row.calls) == (5, 12)
    assert grid(EndedRoll).handed == 5


def test_transfers_count_at_the_first_site_of_their_destination():
    first, second = create_site("A"), create_site("B")
    storage = local_storage(first)
    storage.site_storages.create(site=second, role="read")
    for state, size in (("done", 1000), ("failed", 10)):
        Transfer.objects.create(
            file=create_file(), destination=storage, state=state, bytes_moved=size,
            created_at=NOW, next_try_at=NOW, ended_at=after(minutes=30),
        )  # fmt: skip
    Transfer.objects.create(
        file=create_file(), destination=create_storage("TAPE"), state="done", bytes_moved=5,
        created_at=NOW, next_try_at=NOW, ended_at=after(minutes=30),
    )  # fmt: skip

    rollup.close_hour(NOW)

    row = EndedRoll.objects.get(site_id=first.pk)
    assert (row.moved_bytes, row.transfers, row.transfers_failed) == (1010, 1, 1)
    assert not EndedRoll.objects.filter(site_id=second.pk).exists()
    assert grid(EndedRoll).moved_bytes == 1015


def test_durations_are_binned_as_the_pure_rule_says():
    site = create_site()
    ended(site)
    put_away()
    ended(site, start_time=after(minutes=14))

    rollup.close_hour(NOW)

    def bins(what):
        return {nr: n for nr, n in enumerate(grid(SpreadRoll, what=what).bins) if n}

    assert bins("wall") == {bin_of(1800): 1, bin_of(60): 1}
    assert bins("queue") == {bin_of(6300): 1, bin_of(8040): 1}
    assert bins("activated") == {bin_of(6300): 2}
    assert bins("running") == {bin_of(1200): 2}
    assert bins("holding") == {bin_of(600): 2}
    assert SpreadRoll.objects.get(site_id=site.pk, what="holding").bins[bin_of(600)] == 2
    assert not SpreadRoll.objects.filter(what="finished").exists()


def test_an_hour_is_closed_once_and_only_when_all_of_it_is_there():
    site = create_site()
    ended(site)
    since = floor(LATER - rollup.BACK, 4 * HOUR)

    assert NOW not in rollup.missing_hours(after(hours=1, minutes=4))
    missing = rollup.missing_hours(LATER)
    assert missing[0] == NOW
    assert len(missing) == (after(hours=1) - since) // dt.timedelta(hours=1)

    rollup.close_hour(NOW)
    ended(site)
    assert rollup.close_hour(NOW) == 0
    assert grid(EndedRoll).finished == 1
    assert NOW not in rollup.missing_hours(LATER)


def test_the_hour_that_goes_on_is_a_short_bucket_anew_every_five_minutes_until_it_is_closed():
    site = create_site()
    ended(site)

    assert rollup.part_of_hour(after(minutes=20)) > 0
    ended(site)
    assert rollup.part_of_hour(after(minutes=24)) == 0
    assert [(r.span, r.finished) for r in parts()] == [(20 * 60, 1)]
    rollup.part_of_hour(after(minutes=25))
    assert [(r.span, r.finished) for r in parts()] == [(25 * 60, 2)]
    rollup.part_of_hour(after(hours=1, minutes=4))
    assert [(r.span, r.finished) for r in parts()] == [(HOUR - 1, 2), (4 * 60, 0)]
    rollup.close_hour(NOW)
    assert [r.span for r in parts()] == [4 * 60]
    assert grid(EndedRoll, start=NOW).finished == 2


def parts():
    return EndedRoll.objects.filter(cloud_id=0, site_id=0, span__lt=HOUR).order_by("start")


def test_a_round_makes_up_for_a_week_and_the_next_one_has_nothing_left_to_do():
    ended(create_site())

    rollup.run(LATER)

    assert rollup.missing_hours(LATER) == []
    assert grid(EndedRoll, start=NOW, span=HOUR).finished == 1
    assert rollup.run(LATER) == 0


def test_buckets_that_are_old_enough_become_one_with_nothing_lost():
    # given: the hours of a day
    site = create_site()
    for hour in range(24):
        start = after(hours=hour - 12)
        values = {"span": HOUR, "start": start, "site_id": site.pk}
        EndedRoll.objects.create(**values, finished=hour, moved_bytes=hour * 10**12)
        SpreadRoll.objects.create(**values, what="wall", bins=[hour] * len(empty_bins()))
        LiveRoll.objects.create(**{**values, "site_id": 0}, samples=12)
        LiveRoll.objects.create(**values, samples=12, running=hour)
    # when: all but the last hours are older than eight days
    now = after(days=8, hours=10)
    for _ in range(2):
        rollup.compact(HOUR, 4 * HOUR, before=now - dt.timedelta(days=8))
    # then
    spans = dict(EndedRoll.objects.values_list("span").annotate(n=Sum("finished")).order_by())
    assert spans == {4 * HOUR: sum(range(20)), HOUR: sum(range(20, 24))}
    first = {"span": 4 * HOUR, "start": after(hours=-12), "site_id": site.pk}
    assert EndedRoll.objects.get(**first).moved_bytes == 6 * 10**12
    assert SpreadRoll.objects.get(**first, what="wall").bins == [6] * len(empty_bins())
    live = LiveRoll.objects.get(**first)
    assert (live.running, live.samples) == (1.5, 48)


def test_a_round_lets_all_ages_grow():
    for days, span in ((10, HOUR), (40, 4 * HOUR), (200, DAY)):
        start = floor(after(days=-days), span)
        EndedRoll.objects.create(span=span, start=start, finished=1)

    rollup.run(NOW)

    grown = EndedRoll.objects.filter(finished=1).order_by("span")
    assert [row.span for row in grown] == [4 * HOUR, DAY, 7 * DAY]


def test_looks_are_forgotten_when_the_hours_have_them():
    for days in (3, 1):
        LiveRoll.objects.create(span=SAMPLE, start=after(days=-days))
        LiveRoll.objects.create(span=HOUR, start=after(days=-days))

    rollup.forget_samples(NOW)

    assert LiveRoll.objects.filter(span=SAMPLE).count() == 1
    assert LiveRoll.objects.filter(span=HOUR).count() == 2


def test_no_job_and_no_event_is_scanned_for():
    ended(create_site())
    put_away()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in (rollup_sql.HOUR_OF_ENDS, rollup_sql.HOUR_OF_SPREADS):
            values = {"start": NOW, "stop": after(hours=1), "span": HOUR}
            cursor.execute(f"EXPLAIN {statement}", values)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert not re.search(r"Seq Scan on jobs_(ended)?job(event)?(_\d+)? ", plan), plan


def empty_bins():
    return [0] * BINS
