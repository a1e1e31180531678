"""A job's way over PanDA's own wire, as pilots 3.7 (forms) and 3.11 (packed JSON) walk it."""

from __future__ import annotations

import json

import pytest

from jobs import register
from jobs.api.panda.declared import MISSING_OUTPUT
from jobs.models import Job, Pilot
from jobs.said import log_name
from pandasite.base.clock import database_now
from tests.api.calls import the_site
from tests.builders import (
    ADLER32,
    create_dataset,
    create_file,
    install,
    local_storage,
)
from tests.panda.calls import (
    GET_JOB,
    NODE,
    PILOT,
    form,
    get,
    get_job,
    packed,
    report_of,
    token,
    told,
    update,
    waiting_job,
    word,
)

pytestmark = pytest.mark.django_db


# -- getJob ------------------------------------------------------------------------------------


def test_a_pilot_gets_a_job_in_the_form_that_it_reads():
    site = the_site()
    dataset = create_dataset("mc09.EVNT")
    source = create_file("EVNT.1", at=[local_storage(site)], dataset=dataset)
    job = waiting_job(
        inputs=[source], outputs=["HIST.1"], dataset=dataset, job_parameters="--events 3",
        prod_source_label="user", transformation="http://panda.example/trf/user/run.sh",
    )  # fmt: skip
    _scope, log = log_name(job.pk, 1)

    given = get_job(by=token(), prodSourceLabel="user")

    assert (given["StatusCode"], given["PandaID"], given["attemptNr"]) == (0, job.pk, 1)
    assert (given["transformation"], given["jobPars"]) == (job.transformation, "--events 3")
    assert (given["inFiles"], given["scopeIn"], given["fsize"]) == ("EVNT.1", "mc09", "1000")
    assert given["checksum"] == f"ad:{ADLER32}"
    assert given["ddmEndPointIn"] == "AGLT2_DISK"
    assert (given["outFiles"], given["scopeOut"]) == (f"HIST.1,{log}", "mc09")
    assert given["ddmEndPointOut"] == "AGLT2_DISK,AGLT2_DISK"
    assert (given["logFile"], given["scopeLog"]) == (log, "log")
    assert len(given["logGUID"]) == 36
    job.refresh_from_db()
    assert (job.state, job.node) == ("sent", NODE)


def test_packed_json_without_a_header_is_understood():
    job = waiting_job()

    given = told(packed("/server/panda/getJob", GET_JOB | {"mem": 2000, "cpu": 2400}, by=token()))

    assert given["PandaID"] == job.pk


def test_without_a_job_the_status_code_says_so_with_the_reason():
    given = get_job(by=token())

    assert given["StatusCode"] == 20
    assert given["code"] == "no_job"
    assert given["message"] == "nothing is activated at AGLT2 that fits this pilot"


def test_what_the_pilot_says_of_its_node_is_matched():
    waiting_job(min_ram_count=2001)

    assert get_job(by=token())["StatusCode"] == 20


def test_releases_are_those_of_the_site_since_the_pilot_names_none():
    install(the_site(), "Atlas-14.5.0", "x86_64-slc5")
    waiting_job(atlas_release="Atlas-15.0.0", cmt_config="x86_64-slc5")
    fits = waiting_job(atlas_release="Atlas-14.5.0", cmt_config="x86_64-slc5")

    assert get_job(by=token())["PandaID"] == fits.pk


@pytest.mark.parametrize(
    ("label", "taken"),
    [("managed", "managed"), ("user", "user"), ("unified", "user"), ("", "managed"),
     ("test", None), ("ddm", None)],
)  # fmt: skip
def test_the_label_of_a_pilot_says_which_jobs_it_takes(label, taken):
    other = {"managed": "user", "user": "managed"}.get(label or "", "managed")
    waiting_job(prod_source_label=taken or other)

    given = get_job(by=token(), prodSourceLabel=label)

    assert given["StatusCode"] == (0 if taken else 20)


def test_pilots_of_one_node_without_a_name_are_one_row():
    by = token()
    for _ in range(3):
        get_job(by=by)

    assert Pilot.objects.get().pilot_id == NODE


def test_several_jobs_come_in_a_list_each_under_a_lease_of_its_own():
    jobs = [waiting_job() for _ in range(2)]
    by = token()

    given = get_job(by=by, nJobs="5")["jobs"]
    answers = [update(one, "running", by=by) for one in given]

    assert [one["PandaID"] for one in given] == [job.pk for job in jobs]
    assert [answer["StatusCode"] for answer in answers] == [0, 0]


# -- updateJob ---------------------------------------------------------------------------------


def given_job(by: str, **columns):
    waiting_job(**columns)
    return get_job(by=by)


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


# -- v1 ----------------------------------------------------------------------------------------


def test_the_same_job_goes_its_way_over_v1():
    by = token()
    job = waiting_job(outputs=["HIST.1"])
    ask = {"site_name": "AGLT2", "node": NODE, "memory": 2000, "disk_space": 20000}

    first = told(packed("/api/v1/pilot/acquire_jobs", ask, by=by))
    (given,) = first["data"]["jobs"]
    say = {"job_id": given["PandaID"], "attempt_nr": 1, "node": NODE, "pilot_id": PILOT}
    running = packed("/api/v1/pilot/update_job", say | {"job_status": "running"}, by=by)
    ended = say | {"job_status": "finished", "job_output_report": report_of("HIST.1")}
    finished = packed("/api/v1/pilot/update_job", ended, by=by)

    assert (first["success"], first["message"]) == (True, "")
    assert told(running)["data"] == {"StatusCode": 0, "command": "NULL"}
    assert told(finished)["success"] is True
    job.refresh_from_db()
    assert (job.state, job.verdict) == ("holding", "finished")


def test_v1_says_in_its_envelope_that_there_is_no_job():
    ask = {"site_name": "AGLT2", "node": NODE}

    answer = told(packed("/api/latest/pilot/acquire_jobs", ask, by=token()))

    assert (answer["success"], answer["data"]) == (False, {"StatusCode": 20})
    assert answer["message"].startswith("No jobs in PanDA: nothing is activated at AGLT2")


# -- what is asked besides ---------------------------------------------------------------------


def test_a_pilot_asks_for_the_state_of_its_jobs_and_of_no_others():
    by = token()
    job = given_job(by)

    flat = told(form("/server/panda/getStatus", {"ids": f"{job['PandaID']},999"}, by=by))
    listed = told(get("/api/v1/pilot/get_job_status", {"job_ids": [job["PandaID"], 999]}, by=by))

    assert flat == {"StatusCode": 0, "status": "sent,notfound", "attemptNr": "1,0"}
    assert listed["data"] == [
        {"job_id": job["PandaID"], "status": "sent", "attempt_number": 1},
        {"job_id": 999, "status": "not found", "attempt_number": 0},
    ]


def test_who_asks_for_no_json_gets_the_form_of_old():
    answer = form("/server/panda/getJob", GET_JOB, by=token(), HTTP_ACCEPT="*/*")

    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.content.startswith(b"StatusCode=20&")
