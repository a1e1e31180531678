"""A pilot's words: heartbeats renew the lease, the final word hands the job over, once."""

import pytest

from jobs import fsck, services
from jobs.models import Job, JobOutput, Pilot, Pulse
from pandasite.base.errors import Conflict, NotThere
from tests.builders import (
    NOW,
    after,
    create_job,
    create_pilot,
    create_site,
)
from tests.jobs.asking import claim, say

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


def pulse(job):
    return Pulse.objects.get(pk=job.pk)


def columns(job):
    row = Job.objects.filter(pk=job.pk).values().get()
    return row, Pulse.objects.filter(pk=job.pk).values().first(), job.events.count()


# -- heartbeats --------------------------------------------------------------------------------


def test_a_heartbeat_renews_the_lease(site, pilots):
    job = create_job("running", site=site)

    answer = say(pilots, job.pk, "running", now=after(hours=1))

    assert (answer.state, answer.command, answer.replayed) == ("running", None, False)
    assert pulse(job).lease_until == after(hours=3)
    assert pulse(job).heard_at == after(hours=1)


def test_a_heartbeat_is_no_state_change(site, pilots):
    job = create_job("running", site=site)

    say(pilots, job.pk, "running", now=after(hours=1))

    assert fresh(job).state_change_time == NOW
    assert job.events.count() == 1


@pytest.mark.parametrize("word", ["starting", "running"])
def test_the_first_word_ends_the_state_sent(site, pilots, word):
    job = create_job("sent", site=site)

    answer = say(pilots, job.pk, word, now=after(minutes=1))

    assert answer.state == fresh(job).state == word
    assert job.events.last().from_state == "sent"
    assert fsck.check() == []


def test_the_start_time_is_that_of_the_first_running_word(site, pilots):
    job = create_job("starting", site=site)

    say(pilots, job.pk, "running", now=after(minutes=5))
    say(pilots, job.pk, "running", seq=2, now=after(minutes=9))

    assert fresh(job).start_time == after(minutes=5)


def test_a_late_starting_keeps_the_job_running(site, pilots):
    job = create_job("running", site=site)

    answer = say(pilots, job.pk, "starting", now=after(minutes=5))

    assert answer.state == fresh(job).state == "running"
    assert pulse(job).lease_until == after(minutes=5, hours=2)
    assert job.events.count() == 1


def test_what_was_measured_is_kept(site, pilots):
    job = create_job("running", site=site)

    say(pilots, job.pk, "running", cpu_consumption_time=60, max_rss_mb=800)
    say(pilots, job.pk, "running", seq=2, cpu_consumption_time=90, max_rss_mb=700)

    assert (pulse(job).cpu_consumption_time, pulse(job).max_rss_mb) == (90, 800)


def test_the_end_of_the_output_is_kept_once_per_job(site, pilots):
    job = create_job("running", site=site)

    say(pilots, job.pk, "running", stdout_tail="event 1")
    say(pilots, job.pk, "running", seq=2, stdout_tail="event 2", now=after(minutes=1))

    output = JobOutput.objects.get()
    assert (output.tail, output.attempt_nr, output.at) == ("event 2", 1, after(minutes=1))


def test_a_word_is_a_contact_of_the_pilot(site, pilots):
    pilot = create_pilot(site)
    job = create_job("running", site=site, pilot=pilot)

    say(pilots, job.pk, "running", now=after(minutes=30))

    assert Pilot.objects.get().last_contact == after(minutes=30)


def test_a_heartbeat_is_a_report_of_the_pilot_and_a_claim_is_not(site, pilots):
    create_job("activated", site=site)
    claimed = claim(pilots)
    assert Pilot.objects.get().last_report is None

    now = after(minutes=30)
    say(pilots, claimed.job.pk, "running", lease_token=claimed.lease_token, now=now)

    assert Pilot.objects.get().last_report == now


def test_words_that_come_in_the_wrong_order_are_taken_by_their_number(site, pilots):
    job = create_job("running", site=site)
    say(pilots, job.pk, "running", seq=5, cpu_consumption_time=50)

    late = say(pilots, job.pk, "running", seq=4, cpu_consumption_time=40)

    assert late.replayed
    assert pulse(job).cpu_consumption_time == 50


def test_the_same_word_again_changes_nothing(site, pilots):
    job = create_job("running", site=site)
    say(pilots, job.pk, "running", stdout_tail="one")
    before = columns(job)

    again = say(pilots, job.pk, "running", stdout_tail="two", now=after(hours=1))

    assert again.replayed
    assert columns(job) == before
    assert JobOutput.objects.get().tail == "one"


# -- only the holder of the lease --------------------------------------------------------------


def test_another_lease_is_refused_and_changes_nothing(site, pilots):
    job = create_job("running", site=site)
    before = columns(job)

    with pytest.raises(Conflict) as refusal:
        say(pilots, job.pk, "finished", lease_token="of somebody else")

    assert refusal.value.code == "stale_lease"
    assert refusal.value.extra["command"] == "tobekilled"
    assert columns(job) == before


@pytest.mark.parametrize("attempt_nr", [1, 3])
def test_another_attempt_is_refused_and_changes_nothing(site, pilots, attempt_nr):
    job = create_job("running", site=site, attempt_nr=2)
    before = columns(job)

    with pytest.raises(Conflict) as refusal:
        say(pilots, job.pk, "running", attempt_nr=attempt_nr)

    assert refusal.value.code == "stale_attempt"
    assert refusal.value.extra["command"] == "tobekilled"
    assert columns(job) == before


def test_a_pilot_that_was_given_up_is_told_to_end(site, pilots):
    from jobs import errors

    job = create_job("running", site=site)
    services.requeue(Job.objects.all(), error=errors.LOST_HEARTBEAT, actor="watchdog", now=NOW)

    with pytest.raises(Conflict) as refusal:
        say(pilots, job.pk, "finished")

    assert refusal.value.code == "stale_lease"
    assert fresh(job).state == "activated"


def test_a_job_of_another_site_is_as_good_as_none(pilots):
    job = create_job("running", site=create_site("MWT2_UC"))

    with pytest.raises(NotThere) as elsewhere:
        say(pilots, job.pk, "running")
    with pytest.raises(NotThere) as nowhere:
        say(pilots, job.pk + 1, "running")

    told, unknown = elsewhere.value.message, nowhere.value.message
    assert told.replace(f"job {job.pk}", "job") == unknown.replace(f"job {job.pk + 1}", "job")
