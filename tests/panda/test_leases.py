"""The lease of a pilot that knows of none: a test for each sentence of panda-compatibility.md."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from jobs import closing, kept_leases, quick, watch
from jobs.models import Job, KeptLease, Pulse
from pandasite.base.clock import database_now
from tests.api.calls import CLAIM, POSTS, pilot, send
from tests.builders import NOW, after, create_site, put_away
from tests.panda.calls import (
    NODE,
    PILOT,
    get_job,
    given_job,
    packed,
    token,
    told,
    update,
    waiting_job,
    word,
)

pytestmark = pytest.mark.django_db
GONE = {"StatusCode": 30, "command": "tobekilled"}


def later(**span):
    return database_now() + dt.timedelta(**span)


def verdict(answer):
    return {name: answer[name] for name in GONE}


def image():
    """All that a word could change."""
    job = Job.objects.get()
    return job.state, job.attempt_nr, job.node, job.event_seq, job.verdict, job.report_seq


# -- binding -----------------------------------------------------------------------------------


def test_no_word_is_needed_to_have_a_job_and_nothing_is_bound_by_asking():
    given_job(token())

    kept = KeptLease.objects.get()
    assert (kept.pilot_id, kept.node, kept.bound_at) == ("", "", None)


def test_the_first_word_binds_the_attempt_to_a_pilot_and_a_node():
    by = token()
    job = given_job(by)

    update(job, "starting", by=by)

    kept = KeptLease.objects.get()
    assert (kept.pilot_id, kept.node) == (PILOT, NODE)
    assert kept.bound_at


@pytest.mark.parametrize(
    "other",
    [{"pilotID": "other|PR|3.7.0.36"}, {"node": "wn02"}, {"pilotID": ""}, {"node": ""}],
    ids=["another pilot", "another node", "no pilot", "no node"],
)
def test_a_bound_attempt_is_heard_of_its_pilot_alone(other):
    by = token()
    job = given_job(by)
    update(job, "running", by=by)
    before = image()

    assert verdict(update(job, "finished", by=by, **other)) == GONE
    assert image() == before


def test_what_no_word_has_named_yet_is_bound_by_the_first_that_does():
    by = token()
    job = given_job(by)
    update(job, "starting", by=by, pilotID="")

    assert update(job, "running", by=by)["StatusCode"] == 0
    assert verdict(update(job, "running", by=by, pilotID="")) == GONE
    assert KeptLease.objects.get().pilot_id == PILOT


def test_an_attempt_belongs_to_the_account_that_asked_for_it():
    job = given_job(token())
    other = token(create_site("MWT2_UC"))

    assert verdict(update(job, "running", by=other)) == GONE
    assert Job.objects.get().state == "sent"


def test_a_refused_word_binds_nothing():
    by = token()
    job = given_job(by)

    update(job, "running", by=by, attemptNr=2, pilotID="another")

    assert KeptLease.objects.get().pilot_id == ""


def test_two_pilots_in_one_call_do_not_share_an_attempt():
    by = token()
    job = given_job(by)
    words = [word(job, "starting"), word(job, "running") | {"pilotID": "another"}]

    _good, answers = told(packed("/server/panda/updateJobsInBulk", {"jobList": words}, by=by))

    assert answers[0]["StatusCode"] == 0
    assert verdict(answers[1]) == GONE
    assert (Job.objects.get().state, KeptLease.objects.get().pilot_id) == ("starting", PILOT)


@pytest.mark.django_db(transaction=True)
def test_a_call_holds_no_job_while_it_is_heard_on_another(monkeypatch):
    """Else it and who holds some of these jobs, such as a sweep, could wait for each other."""
    by = token()
    ending, beating = given_job(by), given_job(by)
    update(beating, "running", by=by)
    last_word = quick.final_word

    def last_word_later(**said):
        with ThreadPoolExecutor(1) as other:
            other.submit(hold, beating).result()
        return last_word(**said)

    monkeypatch.setattr(quick, "final_word", last_word_later)
    words = [word(beating, "running"), word(ending, "failed")]
    _good, answers = told(packed("/server/panda/updateJobsInBulk", {"jobList": words}, by=by))

    assert [one["StatusCode"] for one in answers] == [0, 0]
    assert Job.objects.get(pk=ending["PandaID"]).verdict == "failed"


def hold(job):
    """As somebody else, at once or not at all."""
    try:
        with transaction.atomic():
            Job.objects.select_for_update(nowait=True).get(pk=job["PandaID"])
            Pulse.objects.select_for_update(nowait=True).get(pk=job["PandaID"])
    finally:
        connections.close_all()


def test_a_new_token_of_the_same_account_goes_on():
    job = given_job(token())

    assert update(job, "running", by=token())["StatusCode"] == 0


# -- lost pilots -------------------------------------------------------------------------------


def test_a_job_without_any_word_goes_back_after_the_sent_limit():
    given_job(token())

    assert watch.unanswered(later(minutes=29)) == 0
    assert watch.unanswered(later(minutes=31)) == 1
    assert Job.objects.get().state == "activated"


def test_a_word_in_time_keeps_the_job_for_a_lease():
    by = token()
    job = given_job(by)
    update(job, "running", by=by)

    watch.run(later(minutes=115))
    assert Job.objects.get().state == "running"


def test_the_job_is_given_out_again_with_the_next_attempt():
    by = token()
    given_job(by)
    watch.unanswered(later(minutes=31))

    assert get_job(by=by)["attemptNr"] == 2


@pytest.mark.parametrize("given_again", [False, True], ids=["waiting", "given again"])
@pytest.mark.parametrize("state", ["starting", "running", "finished", "failed"])
def test_a_later_word_of_the_old_attempt_is_told_to_end_and_changes_nothing(state, given_again):
    by = token()
    old = given_job(by)
    watch.unanswered(later(minutes=31))
    if given_again:
        update(get_job(by=by), "running", by=by)
    before = image()

    assert verdict(update(old, state, by=by)) == GONE
    assert image() == before


def test_the_new_attempt_does_not_suffer_from_the_old_ones_words():
    by = token()
    old = given_job(by)
    watch.unanswered(later(minutes=31))
    new = get_job(by=by)
    update(new, "running", by=by)
    update(old, "failed", by=by)

    assert update(new, "finished", by=by)["StatusCode"] == 0
    job = Job.objects.get()
    assert (job.attempt_nr, job.verdict) == (2, "finished")


def test_an_attempt_of_a_pilot_with_a_lease_token_is_not_had_on_this_wire():
    waiting_job()
    send(pilot(), POSTS[0], CLAIM)
    job = Job.objects.get()

    mine = {"PandaID": job.pk, "attemptNr": job.attempt_nr}
    assert verdict(update(mine, "running", by=token())) == GONE


def test_a_lost_answer_strands_the_job_until_the_sent_limit():
    """No key says that it is the same question."""
    by = token()
    given_job(by)

    assert get_job(by=by)["StatusCode"] == 20


def test_words_are_numbered_by_the_server_so_none_is_taken_for_a_repeat():
    by = token()
    job = given_job(by)
    for seconds in (5, 6, 7):
        update(job, "running", by=by, cpuConsumptionTime=seconds)

    assert Pulse.objects.get().cpu_consumption_time == 7


# -- housekeeping ------------------------------------------------------------------------------


def test_a_kept_lease_stays_while_its_job_is_live_and_goes_with_it():
    given_job(token())
    always = after(days=36_500)
    assert not kept_leases.served(before=always).exists()

    Job.objects.update(state="cancelled", lease_until=None, end_time=NOW)
    put_away()

    assert not kept_leases.served(before=NOW).exists()
    closing.housekeep(later(hours=23))
    assert KeptLease.objects.exists()
    closing.housekeep(later(hours=25))
    assert not KeptLease.objects.exists()
