"""The verbs: each moves a job as the table says, writes its event, and refuses the rest."""

import pytest
from django.db import IntegrityError, transaction

from jobs import errors, fsck, services
from jobs.models import BrokerageDecision, Job, JobEvent
from jobs.states import LEASED, JobState
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_file,
    create_job,
    create_site,
    local_storage,
)

pytestmark = pytest.mark.django_db
S = JobState


def fresh(job):
    return Job.objects.get(pk=job.pk)


def only(job):
    return Job.objects.filter(pk=job.pk)


def last_event(job):
    return job.events.order_by("-seq").first()


def columns(job):
    """All of the row, to see that a refusal changed nothing."""
    return Job.objects.filter(pk=job.pk).values().get()


def decision():
    return BrokerageDecision.objects.create(at=NOW, site="", n_jobs=1, detail={})


# -- moves and events --------------------------------------------------------------------------


def test_a_move_writes_state_times_and_event_together():
    job = create_job("waiting")

    moved = services.wake([job.pk], now=after(minutes=5))

    assert moved == [job.pk]
    now_is, event = fresh(job), last_event(job)
    assert (now_is.state, now_is.event_seq) == ("defined", 2)
    assert now_is.state_change_time == now_is.modification_time == after(minutes=5)
    assert (event.seq, event.from_state, event.to_state) == (2, "waiting", "defined")
    assert (event.actor, event.at, event.attempt_nr) == ("brokerage", after(minutes=5), 0)
    assert fsck.check() == []


def test_a_move_that_fails_half_way_leaves_neither_state_nor_event():
    job = create_job("waiting")

    with pytest.raises(IntegrityError), transaction.atomic():
        services.move(only(job), S.DEFINED, actor="test", now=NOW, end_time=NOW)

    assert fresh(job).state == "waiting"
    assert job.events.count() == 1


def test_a_bulk_move_takes_those_that_may_and_names_them_in_order():
    waiting = [create_job("waiting") for _ in range(3)]
    running = create_job("running")

    moved = services.move(Job.objects.all(), S.DEFINED, actor="test", now=NOW)

    assert moved == [job.pk for job in waiting]
    assert fresh(running).state == "running"
    assert JobEvent.objects.filter(to_state="defined", seq=2).count() == 3


def test_a_move_keeps_to_the_states_it_was_told_to_start_from():
    assigned, activated = create_job("assigned"), create_job("activated")

    moved = services.move(
        Job.objects.all(), S.FAILED, actor="test", now=NOW, only_from=[S.ASSIGNED]
    )

    assert moved == [assigned.pk]
    assert fresh(activated).state == "activated"


def test_an_end_clears_lease_and_command_and_sets_the_end_time():
    job = create_job("running", command="tobekilled", command_attempt=1)

    services.fail(only(job), errors.LOST_HEARTBEAT, actor="watchdog", now=after(hours=3))

    ended = fresh(job)
    assert (ended.state, ended.end_time) == ("failed", after(hours=3))
    assert (ended.lease_until, ended.command, ended.command_attempt) == (None, "", 0)


def test_an_error_is_on_the_job_and_in_the_words_of_its_event():
    job = create_job("assigned")

    services.fail(only(job), errors.INPUT_FAILED.said("no good replica"), actor="ddm", now=NOW)

    assert fresh(job).errors() == [("ddm", 100, "no good replica")]
    assert last_event(job).reason == {"component": "ddm", "code": 100, "diag": "no good replica"}


def test_an_error_without_words_gets_those_of_the_catalogue_in_its_event():
    job = create_job("running")

    services.fail(only(job), errors.LOST_HEARTBEAT, actor="watchdog", now=NOW)

    assert last_event(job).reason["diag"] == "lost heartbeat"


def test_a_diagnosis_longer_than_its_column_is_cut():
    job = create_job("running")

    services.fail(only(job), errors.LOST_HEARTBEAT.said("x" * 900), actor="test", now=NOW)

    assert len(fresh(job).job_dispatcher_error_diag) == 500


# -- brokerage ---------------------------------------------------------------------------------


def test_activation_marks_the_input_files_ready():
    site = create_site()
    job = create_job("assigned", site=site, inputs=[create_file(at=[local_storage(site)])])

    services.activate([job.pk], now=NOW)

    assert fresh(job).state == "activated"
    assert job.files.get().status == "ready"


def test_a_job_brokered_again_forgets_its_site():
    job = create_job("activated", dispatch_d_block="x_dis1", inputs=[create_file()])
    job.files.update(status="ready")

    moved = services.rebroker(only(job), actor="watchdog", now=NOW, reason={"reason": "slow"})

    again = fresh(job)
    assert moved == [job.pk]
    assert (again.state, again.computing_site, again.cloud) == ("defined", None, None)
    assert (again.rebroker_count, again.dispatch_d_block) == (1, "")
    assert job.files.get().status == "pending"


def test_a_job_brokered_again_keeps_what_its_submitter_named():
    site, cloud = create_site(), create_cloud("FR")
    by_site = create_job("assigned", site=site, site_fixed=True)
    by_cloud = create_job("assigned", site=create_site(cloud=cloud), cloud_fixed=True)

    services.rebroker(Job.objects.all(), actor="watchdog", now=NOW, reason={})

    assert fresh(by_site).computing_site == site
    assert (fresh(by_cloud).computing_site, fresh(by_cloud).cloud) == (None, cloud)


@pytest.mark.parametrize("state", [s for s in S if s not in (S.ASSIGNED, S.ACTIVATED)])
def test_only_a_job_that_waits_at_its_site_is_brokered_again(state):
    job = create_job(state)

    assert services.rebroker(only(job), actor="watchdog", now=NOW, reason={}) == []


# -- a lost pilot ------------------------------------------------------------------------------


@pytest.mark.parametrize("state", LEASED)
def test_a_lost_pilot_costs_an_attempt_and_its_lease(state):
    job = create_job(state, max_attempt=3, report_seq=7)

    again, failed = services.requeue(
        only(job), error=errors.LOST_HEARTBEAT, actor="watchdog", now=NOW
    )

    now_is = fresh(job)
    assert (again, failed) == ([job.pk], [])
    assert (now_is.state, now_is.attempt_nr) == ("activated", 1)
    assert (now_is.lease_sha256, now_is.lease_until, now_is.report_seq) == ("", None, 0)
    assert (now_is.node, now_is.start_time) == ("", None)
    assert now_is.errors() == []
    assert last_event(job).reason["component"] == "job_dispatcher"


def test_a_lost_pilot_in_the_last_attempt_fails_the_job():
    job = create_job("running", max_attempt=1)

    again, failed = services.requeue(
        only(job), error=errors.LOST_HEARTBEAT, actor="watchdog", now=NOW
    )

    assert (again, failed) == ([], [job.pk])
    assert fresh(job).errors()[0][:2] == ("job_dispatcher", 100)


def test_a_killed_job_is_not_given_to_another_pilot():
    job = create_job("running", command="tobekilled", command_attempt=1)

    again, failed = services.requeue(
        only(job), error=errors.LOST_HEARTBEAT, actor="watchdog", now=NOW
    )

    assert (again, failed) == ([], [])
    assert fresh(job).state == "running"
