"""A job that ended failed stays failed; its successor is a new job that goes on counting."""

import pytest
from django.db import IntegrityError, transaction

from jobs import errors, fsck, services, wake
from jobs.models import ErrorCode, Job
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_site,
    local_storage,
)

pytestmark = pytest.mark.django_db


def fail(job, error=errors.LOST_HEARTBEAT):
    return services.fail(Job.objects.filter(pk=job.pk), error, actor="watchdog", now=after(hours=1))


def successor_of(job):
    return Job.objects.filter(retry_of=job.pk).first()


def test_a_failed_job_with_attempts_left_gets_a_successor():
    job = create_job("running", max_attempt=3, job_definition_id=77)

    fail(job)

    successor = successor_of(job)
    assert successor.pk > job.pk
    assert (successor.state, successor.attempt_nr, successor.max_attempt) == ("waiting", 1, 3)
    assert successor.job_definition_id == 77
    assert successor.creation_time == after(hours=1)
    assert successor.events.get().reason == {"retry_of": job.pk}
    assert fsck.check() == []


def test_the_failed_job_itself_stays_failed():
    job = create_job("running")

    fail(job)

    assert Job.objects.get(pk=job.pk).state == "failed"


def test_a_successor_starts_without_the_marks_of_its_predecessor():
    job = create_job(
        "running", cpu_consumption_time=500, max_rss_mb=900, trans_exit_code=11, rebroker_count=2
    )

    fail(job)

    successor = successor_of(job)
    assert successor.errors() == []
    assert (successor.cpu_consumption_time, successor.max_rss_mb) == (0, 0)
    assert (successor.trans_exit_code, successor.rebroker_count) == (None, 0)
    assert (successor.computing_site, successor.cloud) == (None, None)
    assert (successor.lease_sha256, successor.node, successor.start_time) == ("", "", None)


def test_a_successor_goes_where_the_submitter_wanted_the_first_one():
    site, cloud = create_site(), create_cloud("FR")
    at_site = create_job("running", site=site, site_fixed=True)
    in_cloud = create_job("running", site=create_site(cloud=cloud), cloud_fixed=True)

    fail(at_site)
    fail(in_cloud)

    assert successor_of(at_site).computing_site == site
    assert successor_of(in_cloud).cloud == cloud
    assert successor_of(in_cloud).computing_site is None


def test_a_successor_reads_and_makes_the_same_files():
    dataset, source = create_dataset(), create_file()
    job = create_job("running", inputs=[source], outputs=["HIST.1"], dataset=dataset)
    job.files.filter(type="output").update(size=5, adler32="00000001", guid="x")

    fail(job)

    files = {f.type: f for f in successor_of(job).files.all()}
    assert (files["input"].file, files["input"].dataset) == (source, dataset)
    assert (files["output"].lfn, files["output"].dataset) == ("HIST.1", dataset)
    assert (files["output"].size, files["output"].file) == (None, None)


def test_a_successor_does_not_inherit_the_log():
    job = create_job("running")
    job.files.create(type="log", scope="log", lfn="log.1._1.job.log.tgz")

    fail(job)

    assert not successor_of(job).files.exists()


def test_the_wake_sweep_defines_a_successor_whose_input_is_there():
    storage = local_storage(create_site())
    job = create_job("running", inputs=[create_file(at=[storage])])
    fail(job)

    wake.run(after(hours=1))

    assert successor_of(job).state == "defined"


def test_the_last_attempt_has_no_successor():
    job = create_job("running", max_attempt=1)

    fail(job)

    assert successor_of(job) is None


@pytest.mark.parametrize(
    "error", [errors.INPUT_FAILED, errors.EXPIRED, errors.WAIT_TIMEOUT, errors.NO_RELEASE]
)
def test_an_error_that_comes_back_for_sure_has_no_successor(error):
    job = create_job("assigned", max_attempt=3)

    fail(job, error)

    assert successor_of(job) is None


def test_the_administrator_decides_which_errors_are_tried_again():
    ErrorCode.objects.filter(component="job_dispatcher", code=100).update(do_not_retry=True)
    job = create_job("running")

    fail(job)

    assert successor_of(job) is None


def test_one_hopeless_error_beside_others_is_enough():
    job = create_job("holding", pilot_error_code=1331, exe_error_code=60000)

    services.fail_as_reported([job], actor="register", now=NOW)

    assert successor_of(job) is None


def test_a_job_that_never_ran_is_not_retried_for_ever():
    """Without a claim the attempts do not count up, so a chain of them would have no end."""
    ErrorCode.objects.update(do_not_retry=False)
    job = create_job("activated", max_attempt=2)

    for _ in range(5):
        fail(job, errors.EXPIRED)
        job = successor_of(job) or job

    assert Job.objects.count() <= 2


def test_the_first_source_of_an_error_decides_alone_whether_it_is_worth_a_retry():
    assert ErrorCode.objects.get(component="ddm", code=100, source="seed").do_not_retry
    server = ErrorCode.objects.filter(component="ddm", code=100, source="server")
    hopeless, hopeful = create_job("assigned"), create_job("assigned")

    fail(hopeless, errors.INPUT_FAILED)
    server.update(do_not_retry=False)
    fail(hopeful, errors.INPUT_FAILED)

    assert successor_of(hopeless) is None
    assert successor_of(hopeful) is not None


def test_an_error_that_only_another_source_knows_is_judged_by_that():
    ErrorCode.objects.create(component="sup", code=7, source="site", meaning="", do_not_retry=True)
    job = create_job("activated")

    fail(job, errors.Error(component="sup", code=7))

    assert successor_of(job) is None


def test_a_cancelled_job_has_no_successor():
    job = create_job("activated")

    services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)

    assert successor_of(job) is None


def test_a_failed_job_has_at_most_one_successor():
    job = create_job("running")
    fail(job)
    second = successor_of(job)
    second.pk = None

    with pytest.raises(IntegrityError, match="retry_of"), transaction.atomic():
        second.save(force_insert=True)


def test_a_chain_of_failures_ends_with_the_last_attempt():
    job = create_job("running", max_attempt=3)
    fail(job)
    second = successor_of(job)
    Job.objects.filter(pk=second.pk).update(attempt_nr=3)  # lost twice by pilots on its way

    fail(second, errors.RECOVERY_FAILED)

    assert successor_of(second) is None


def test_a_failure_in_a_queue_counts_as_an_attempt():
    ErrorCode.objects.update(do_not_retry=False)
    job = create_job("activated", attempt_nr=1, max_attempt=3)

    fail(job, errors.EXPIRED)

    assert successor_of(job).attempt_nr == 2
