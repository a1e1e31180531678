"""How a job is had over PanDA's own wire, by pilots 3.7 (forms) and 3.11 (packed JSON)."""

from __future__ import annotations

import pytest

from jobs.models import Pilot
from jobs.said import log_name
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
    given_job,
    packed,
    report_of,
    token,
    told,
    update,
    waiting_job,
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
