"""Pulses: one for each job with a pilot, and the watchdog's dates on them."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, connections, transaction

from jobs import fsck, nodes, pulse, quick, services, watch
from jobs.identity import Caller
from jobs.models import Job, Node, Pilot, Pulse
from jobs.states import LEASED, JobState
from tests.builders import NOW, after, create_job, create_pilot, create_site
from tests.jobs.asking import claim, say, word

pytestmark = pytest.mark.django_db


def pulse_of(job: Any) -> Pulse | None:
    return Pulse.objects.filter(pk=job.pk).first()


# -- one for each job with a pilot -------------------------------------------------------------


@pytest.mark.parametrize("state", JobState)
def test_exactly_the_jobs_with_a_pilot_have_a_pulse(state):
    job = create_job(state)

    assert (pulse_of(job) is not None) == (state in LEASED)
    assert fsck.check() == []


def test_a_claim_brings_a_pulse_and_the_end_of_the_lease_takes_it(site, pilots):
    job = create_job("activated", site=site)
    claimed = claim(pilots)
    found = pulse_of(job)
    assert found is not None
    assert (found.attempt_nr, found.report_seq, found.lease_until) == (1, 0, after(minutes=30))

    say(pilots, job.pk, "failed", lease_token=claimed.jobs[0]["lease_token"])

    assert pulse_of(job) is None


def test_what_the_pulse_knows_is_kept_in_the_job_when_its_lease_ends(site, pilots):
    job = create_job("running", site=site, max_attempt=1)
    say(pilots, job.pk, "running", seq=5, cpu_consumption_time=60, max_rss_mb=800)

    watch.run(after(hours=9))

    ended = Job.objects.get()
    assert (ended.state, ended.report_seq) == ("failed", 5)
    assert (ended.cpu_consumption_time, ended.max_rss_mb) == (60, 800)


def test_an_attempt_that_is_lost_leaves_nothing_measured(site, pilots):
    job = create_job("running", site=site)
    say(pilots, job.pk, "running", seq=5, cpu_consumption_time=60, max_rss_mb=800)

    watch.run(after(hours=9))

    again = Job.objects.get()
    assert (again.state, again.report_seq, again.cpu_consumption_time) == ("activated", 0, 0)


def test_a_deleted_job_leaves_no_pulse():
    job = create_job("running")

    Job.objects.filter(pk=job.pk).delete()

    assert not Pulse.objects.exists()


def test_a_command_is_known_to_the_pulse_for_its_attempt():
    job = create_job("running")

    services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    assert Pulse.objects.get().commanded
    assert fsck.check() == []


def test_a_pulse_that_differs_from_its_job_is_found():
    create_job("running")
    Pulse.objects.update(state="sent")

    assert any("its pulse says sent" in line for line in fsck.check())


def test_pages_show_what_the_pilot_said_last(site, pilots):
    job = create_job("running", site=site)
    say(pilots, job.pk, "running", cpu_consumption_time=60, now=after(minutes=30))

    (shown,) = pulse.overlaid(Job.objects.all())

    assert (shown.cpu_consumption_time, shown.modification_time) == (60, after(minutes=30))
    assert shown.lease_until == after(hours=2, minutes=30)


# -- the watchdog's dates ----------------------------------------------------------------------


def test_a_lease_that_was_renewed_is_looked_at_again_when_it_ends(site, pilots):
    job = create_job("running", site=site)
    for hours in (1, 2):
        say(pilots, job.pk, "running", seq=hours, now=after(hours=hours))
    assert Pulse.objects.get().due == after(hours=2)  # heartbeats do not touch its index

    watch.run(after(hours=3))

    assert Pulse.objects.get().due == after(hours=4)
    assert Job.objects.get().state == "running"


def test_a_job_that_falls_silent_after_many_heartbeats_is_found_in_time(site, pilots):
    job = create_job("running", site=site)
    say(pilots, job.pk, "running", now=after(hours=1))

    watch.run(after(hours=2, minutes=30))
    watch.run(after(hours=3, minutes=1))
    assert Job.objects.get().state == "running"
    watch.run(after(hours=3, minutes=2))

    assert Job.objects.get().state == "activated"


def test_a_lease_that_got_shorter_is_looked_at_when_it_ends(site, pilots, settings):
    job = create_job("running", site=site)
    settings.PANDASITE = settings.PANDASITE | {"LEASE_SECONDS": 60}

    say(pilots, job.pk, "running")

    assert Pulse.objects.get().due == after(minutes=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["sent", "running"])
def test_a_job_whose_pilot_speaks_while_the_watchdog_looks_is_not_lost(site, pilots, state):
    job, spoken, looked = create_job(state, site=site), Event(), Event()

    def speak() -> None:
        with transaction.atomic():
            quick.beat(caller=Caller.of(pilots), report=word(job), now=after(hours=9))
            spoken.set()
            looked.wait(60)
        connections.close_all()

    speaking = Thread(target=speak)
    speaking.start()
    spoken.wait(60)
    try:
        assert watch.run(after(hours=9)) == 0
    finally:
        looked.set()
        speaking.join(60)
    assert watch.run(after(hours=9)) == 0
    assert Job.objects.get().state == "running"


@pytest.mark.parametrize("rule", watch.RULES, ids=lambda rule: rule.__name__)
def test_no_rule_of_the_watchdog_reads_all_that_runs(rule):
    """There is an index for each question: a table is scanned only where there is none."""
    create_job("running")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # small tables would be scanned anyway
    seen: list[str] = []

    def explained(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "UPDATE", "WITH")) and "EXPLAIN" not in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                seen.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        rule(after(days=1))

    assert seen
    assert not [plan for plan in seen if "Seq Scan on jobs_" in plan]


# -- pilots and nodes --------------------------------------------------------------------------


def test_claims_and_heartbeats_are_signs_of_life_of_the_node(site, pilots):
    job = create_job("activated", site=site)
    claimed = claim(pilots)
    assert (Node.objects.get().last_claim, Node.objects.get().last_report) == (NOW, None)

    token = claimed.jobs[0]["lease_token"]
    say(pilots, job.pk, "running", lease_token=token, now=after(minutes=20))

    node = Node.objects.get()
    assert (node.site, node.node) == (site, "wn01")
    assert (node.last_claim, node.last_report) == (NOW, after(minutes=20))


def test_a_busy_node_is_written_once_a_minute(site, pilots):
    for seconds in (0, 30, 59, 61):
        claim(pilots, now=after(seconds=seconds))
        expected = NOW if seconds < 61 else after(seconds=61)
        assert Node.objects.get().last_claim == expected


def test_a_pilot_is_written_once_an_hour(site, pilots):
    job = create_job("running", site=site, pilot=create_pilot(site))

    for n, minutes in enumerate((20, 50, 79, 81)):
        say(pilots, job.pk, "running", seq=n + 1, now=after(minutes=minutes))
        expected = after(minutes=20 if minutes < 81 else 81)
        assert Pilot.objects.get().last_report == expected


def test_the_pilots_of_a_node_are_those_of_three_hours():
    site = create_site()
    for hours in (-4, -2, -1):
        create_pilot(site, node="wn01", last_contact=after(hours=hours))
    create_pilot(create_site(), node="wn01")
    Node.objects.update(pilots=9)

    assert nodes.count_pilots(NOW) == 2
    assert nodes.count_pilots(NOW) == 0

    assert list(Node.objects.order_by("pk").values_list("pilots", flat=True)) == [2, 1]


def test_a_node_that_is_silent_for_long_is_forgotten():
    site = create_site()
    create_pilot(site, node="wn01", last_report=after(days=2))
    create_pilot(site, node="wn02")

    assert nodes.forget(after(days=31)) == 1
    assert Node.objects.get().node == "wn01"
