"""What pilots say of their jobs over PanDA's own wire, word by word and many at once."""

from __future__ import annotations

import json

import pytest

from jobs import register
from jobs.api.panda.declared import MISSING_OUTPUT
from jobs.models import Job
from pandasite.base.clock import database_now
from tests.builders import (
    ADLER32,
)
from tests.panda.calls import (
    form,
    given_job,
    packed,
    report_of,
    token,
    told,
    update,
    word,
)

pytestmark = pytest.mark.django_db


def test_a_job_runs_and_finishes_with_its_outputs_and_its_log():
    by = token()
    job = given_job(by, outputs=["HIST.1"])

    assert update(job, "starting", by=by) == {"StatusCode": 0, "command": "NULL"}
    assert update(job, "running", by=by, cpuConsumptionTime="7", maxRSS="2048")["StatusCode"] == 0
    last = update(
        job, "finished", by=by, xml=report_of("HIST.1", job["logFile"]), transExitCode="0",
        pilotErrorCode="0", exeErrorCode="0", endTime="1253188800.5",
    )  # fmt: skip

    assert last["StatusCode"] == 0
    row = Job.objects.get()
    assert (row.state, row.verdict, row.attempt_nr) == ("holding", "finished", 1)
    assert (row.cpu_consumption_time, row.max_rss_mb) == (7, 2)
    files = {f.lfn: f for f in row.files.all()}
    assert files["HIST.1"].adler32 == ADLER32
    assert len(files["HIST.1"].guid) == 36  # its pilot said none
    assert (files[job["logFile"]].type, files[job["logFile"]].size) == ("log", 44)
    register.run(database_now())
    row.refresh_from_db()
    assert row.state == "finished"


def test_a_failure_keeps_its_codes_and_its_log():
    by = token()
    job = given_job(by, outputs=["HIST.1"])
    update(job, "running", by=by)

    update(
        job, "failed", by=by, xml=report_of(job["logFile"]), transExitCode="42",
        pilotErrorCode="-1305", pilotErrorDiag="Failed to execute payload", exeErrorCode="0",
        pilotLog="last\nlines",
    )  # fmt: skip

    row = Job.objects.get()
    assert (row.state, row.verdict, row.trans_exit_code) == ("holding", "failed", 42)
    assert (row.pilot_error_code, row.pilot_error_diag) == (1305, "Failed to execute payload")
    assert row.files.get(type="log").adler32 == ADLER32
    assert row.output.tail == "last\nlines"


def test_a_job_that_lacks_an_output_has_failed_though_its_pilot_says_finished():
    by = token()
    job = given_job(by, outputs=["HIST.1", "HIST.2"])
    update(job, "running", by=by)

    assert update(job, "finished", by=by, xml=report_of("HIST.1"))["StatusCode"] == 0

    row = Job.objects.get()
    assert (row.verdict, row.pilot_error_code) == ("failed", MISSING_OUTPUT)
    assert row.pilot_error_diag == "finished without 1 of 2 declared output files: HIST.2"


def test_a_file_that_the_job_does_not_declare_is_let_go():
    by = token()
    job = given_job(by, outputs=["HIST.1"])
    update(job, "running", by=by)

    update(job, "finished", by=by, xml=report_of("HIST.1", "core.dump"))

    row = Job.objects.get()
    assert row.verdict == "finished"
    assert list(row.files.values_list("lfn", flat=True)) == ["HIST.1"]


@pytest.mark.parametrize("said", ["holding", "transferring"])
def test_a_pilot_that_waits_for_its_files_is_alive(said):
    by = token()
    job = given_job(by)

    assert update(job, said, by=by)["StatusCode"] == 0
    assert Job.objects.get().state == "running"


def test_a_kill_is_told_at_the_next_word():
    by = token()
    job = given_job(by)
    update(job, "running", by=by)
    Job.objects.update(command="tobekilled", command_attempt=1, command_reason="alice: no")

    assert update(job, "running", by=by) == {"StatusCode": 0, "command": "tobekilled"}

    last = update(job, "failed", by=by, pilotErrorCode="1144", transExitCode="240")
    assert last == {"StatusCode": 0, "command": "tobekilled"}
    row = Job.objects.get()
    assert (row.state, row.task_buffer_error_code, row.pilot_error_code) == ("cancelled", 100, 0)


def test_a_repeated_last_word_is_answered_again_and_changes_nothing():
    by = token()
    job = given_job(by)
    update(job, "running", by=by)
    first = update(job, "finished", by=by)
    events = Job.objects.get().events.count()

    assert update(job, "finished", by=by) == first
    assert Job.objects.get().events.count() == events


def test_many_words_are_answered_each_on_its_own():
    by = token()
    jobs = [given_job(by) for _ in range(2)]
    words = [word(jobs[0], "running"), {"jobId": "x"}, word(jobs[1], "running")]

    good, answers = told(packed("/server/panda/updateJobsInBulk", {"jobList": words}, by=by))

    assert good is True
    assert [answer["StatusCode"] for answer in answers] == [0, 30, 0]
    assert answers[1]["fields"][0]["field"] == "jobId"
    assert set(Job.objects.values_list("state", flat=True)) == {"running"}


def test_words_on_one_job_in_one_call_are_heard_in_their_order():
    by = token()
    job = given_job(by, outputs=["HIST.1"])
    words = [word(job, "starting"), word(job, "running"), word(job, "finished")]
    words[2] |= {"xml": report_of("HIST.1")}

    _good, answers = told(packed("/server/panda/updateJobsInBulk", {"jobList": words}, by=by))

    assert [answer["StatusCode"] for answer in answers] == [0, 0, 0]
    row = Job.objects.get()
    assert (row.state, row.verdict) == ("holding", "finished")
    moves = row.events.order_by("seq").values_list("to_state", flat=True)
    assert list(moves)[-3:] == ["starting", "running", "holding"]


def test_many_heartbeats_cost_no_more_statements_than_some(django_assert_max_num_queries):
    by = token()
    words = []
    for _ in range(30):
        job = given_job(by)
        update(job, "running", by=by)
        words.append(word(job, "running"))

    with django_assert_max_num_queries(12):
        _good, answers = told(packed("/server/panda/updateJobsInBulk", {"jobList": words}, by=by))

    assert [answer["StatusCode"] for answer in answers] == [0] * 30


def test_the_list_of_words_may_be_text_and_has_a_limit():
    by = token()
    job = given_job(by)
    text = json.dumps([word(job, "running")])

    good = told(form("/server/panda/updateJobsInBulk", {"jobList": text}, by=by))
    many = packed("/api/v1/pilot/update_jobs_bulk", {"job_list": [{}] * 501}, by=by)

    assert good == [True, [{"StatusCode": 0, "command": "NULL"}]]
    assert many.status_code == 413
    assert told(many)["message"] == "job_list must have at most 500 words, not 501"
