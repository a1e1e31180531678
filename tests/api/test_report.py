"""POST /rest/v1/pilot/report: its own rows of bad input, and its answer."""

import pytest

from jobs import services
from jobs.models import Job, JobOutput
from pandasite.base.clock import database_now
from tests.api.calls import (
    POSTS,
    REPORT,
    REPORTED_FILE,
    held_job,
    pilot,
    problem,
    report_of,
    send,
)
from tests.builders import create_job, create_site

pytestmark = pytest.mark.django_db
ADDRESS = POSTS[1]


def say(body, who=None):
    return send(who or pilot(), ADDRESS, body)


def row(job):
    return Job.objects.filter(pk=job.pk).values().get()


def without(body, name):
    return {k: v for k, v in body.items() if k != name}


# -- answers -----------------------------------------------------------------------------------


def test_a_heartbeat_is_answered_with_state_and_lease():
    job = held_job()

    answer = say(report_of(job, stdout_tail="event 7\n", cpu_consumption_time=60, max_rss_mb=900))

    assert answer.status_code == 200
    assert answer.json() == {
        "panda_id": job.pk, "state": "running", "command": None, "lease_seconds": 7200,
        "replayed": False,
    }  # fmt: skip
    assert JobOutput.objects.get().tail == "event 7\n"


def test_the_same_word_again_is_a_replay():
    job = held_job()
    say(report_of(job))
    before = row(job)

    answer = say(report_of(job))

    assert (answer.status_code, answer.json()["replayed"]) == (200, True)
    assert row(job) == before


def test_a_finished_job_names_its_outputs():
    job = held_job(outputs=["HIST.1"])

    answer = say(report_of(job, state="finished", exit_code=0, output_files=[REPORTED_FILE]))

    assert answer.json()["state"] == "holding"
    assert job.files.get().size == 10


def test_a_checksum_may_carry_its_name_and_a_guid_capitals():
    job = held_job(outputs=["HIST.1"])
    file = REPORTED_FILE | {"adler32": "ad:0C2A04F1", "guid": REPORTED_FILE["guid"].upper()}

    say(report_of(job, state="finished", output_files=[file]))

    said = job.files.get()
    assert (said.adler32, said.guid) == (REPORTED_FILE["adler32"], REPORTED_FILE["guid"])


def test_the_command_rides_on_the_next_answer():
    job = held_job()
    services.kill(job.pk, actor="alice", reason="wrong seed", now=database_now())

    answer = say(report_of(job))

    assert answer.status_code == 200
    assert (answer.json()["command"], answer.json()["state"]) == ("tobekilled", "cancelled")


def test_a_diagnosis_that_is_too_long_is_cut_and_said_to_be():
    job = held_job()

    answer = say(report_of(job, state="failed", pilot_error_code=1201, pilot_error_diag="x" * 600))

    assert answer.json()["truncated"] is True
    assert len(row(job)["pilot_error_diag"]) == 500


@pytest.mark.parametrize("name", ["pilot_error_diag", "exe_error_diag"])
@pytest.mark.parametrize("length", [501, 65_537, 1_000_000])
def test_a_diagnosis_is_read_at_any_length(name, length):
    job = held_job()

    answer = say(report_of(job, state="failed", pilot_error_code=1201, **{name: "x" * length}))

    assert (answer.status_code, answer.json()["truncated"]) == (200, True)
    assert row(job)[name] == "x" * 500


# -- who and what ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code"),
    [("NULL", "not_an_integer"), ("17", "not_an_integer"), (None, "panda_id_required"),
     (0, "out_of_range"), (1.0, "not_an_integer")],
)  # fmt: skip
def test_a_report_names_its_job_by_number(value, code):
    problem(say(REPORT | {"panda_id": value}), 400, code)


@pytest.mark.parametrize("name", sorted(REPORT))
def test_nothing_of_the_lease_may_be_missing(name):
    problem(say(without(REPORT, name)), 400, f"{name}_required")


def test_a_job_that_is_not_there_and_a_job_of_others_look_alike():
    other = create_job("running", site=create_site("MWT2_UC"))

    here = problem(say(report_of(other)), 404, "not_found")
    nowhere = problem(say(REPORT | {"panda_id": other.pk + 1}), 404, "not_found")

    assert here["message"].replace(str(other.pk), "N") == nowhere["message"].replace(
        str(other.pk + 1), "N"
    )


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"lease_token": "x"}, "stale_lease"), ({"attempt_nr": 2}, "stale_attempt")],
)
def test_a_stale_pilot_is_told_to_end_and_changes_nothing(wrong, code):
    job = held_job()
    before = row(job)

    refused = problem(say(report_of(job, **wrong)), 409, code)

    assert refused["command"] == "tobekilled"
    assert row(job) == before


@pytest.mark.parametrize("state", ["holding", "transferring", "Running", "", "sent"])
def test_a_state_that_pilots_do_not_set_is_answered_with_those_they_do(state):
    refused = problem(say(REPORT | {"state": state}), 400, "unknown_state")

    assert refused["fields"][0]["limit"]["values"] == ["starting", "running", "finished", "failed"]


def test_an_illegal_move_is_answered_with_the_legal_ones():
    job = held_job()
    say(report_of(job, state="finished"))

    refused = problem(say(report_of(job, seq=2, state="failed")), 409, "illegal_transition")

    assert refused["from"] == "holding"
    assert refused["legal"] == ["transferring", "finished", "failed"]


def test_another_word_after_the_end_is_refused():
    job = held_job()
    say(report_of(job, state="finished"))
    services.must_move(job, "finished", actor="register", now=database_now())

    refused = problem(say(report_of(job, seq=2, state="failed")), 409, "already_final")
    assert refused["command"] == "tobekilled"
    assert say(report_of(job, seq=2, state="finished")).json()["replayed"] is True


# -- what is said ------------------------------------------------------------------------------


def test_finished_without_the_declared_outputs_is_refused_with_their_names():
    job = held_job(outputs=["HIST.1", "HIST.2"])

    refused = problem(
        say(report_of(job, state="finished", output_files=[REPORTED_FILE])), 422, "missing_outputs"
    )

    assert refused["missing"] == ["HIST.2"]
    assert row(job)["state"] == "running"


def test_finished_with_other_outputs_is_refused_with_their_names():
    job = held_job()

    refused = problem(
        say(report_of(job, state="finished", output_files=[REPORTED_FILE])), 422, "unknown_outputs"
    )
    assert refused["unknown"] == ["HIST.1"]


def test_a_file_is_reported_once():
    body = REPORT | {"state": "finished", "output_files": [REPORTED_FILE, REPORTED_FILE]}

    refused = problem(say(body), 400, "duplicate_lfn")
    assert refused["fields"][0]["field"] == "output_files"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("lfn", "../etc/passwd", "bad_lfn"),
        ("lfn", "-rf", "bad_lfn"),
        ("lfn", "a/b", "bad_lfn"),
        ("lfn", "a..b", "bad_lfn"),
        ("lfn", "x" * 251, "too_long"),
        ("guid", "7", "bad_guid"),
        ("size", -1, "out_of_range"),
        ("size", 2**63, "out_of_range"),
        ("size", "10", "not_an_integer"),
        ("adler32", "md:0c2a04f1", "bad_checksum"),
        ("adler32", "0c2a04f", "bad_checksum"),
        ("events", -1, "out_of_range"),
    ],
)
def test_a_reported_file_has_a_good_name_size_and_checksum(name, value, code):
    body = REPORT | {"state": "finished", "output_files": [REPORTED_FILE | {name: value}]}

    refused = problem(say(body), 400, code)
    assert refused["fields"][0]["field"] == f"output_files[0].{name}"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("exit_code", "0", "not_an_integer"),
        ("exit_code", -1001, "out_of_range"),
        ("exit_code", 65536, "out_of_range"),
        ("cpu_consumption_time", -1, "out_of_range"),
        ("max_rss_mb", 2**31, "out_of_range"),
        ("seq", 0, "out_of_range"),
        ("pilot_error_code", -1, "out_of_range"),
        ("start_time", "2009-09-17T12:00:00", "timezone_required"),
        ("end_time", "2009-13-45T12:00:00Z", "invalid_time"),
        ("sent_at", "yesterday", "invalid_time"),
        ("sent_at", 1253188800, "invalid_time"),
        ("start_time", "1901-01-01T00:00:00Z", "out_of_range"),
        ("log_file", {"lfn": "log.1"}, "guid_required"),
        ("log_file", None, "log_file_required"),
        ("output_files", {}, "not_a_list"),
    ],
)
def test_a_fact_out_of_its_range_is_refused_with_the_field(name, value, code):
    refused = problem(say(REPORT | {name: value}), 400, code)

    assert refused["fields"][0]["field"].startswith(name)


def test_a_job_does_not_end_before_it_starts():
    times = {"start_time": "2009-09-17T12:00:01Z", "end_time": "2009-09-17T14:00:00+02:00"}

    refused = problem(say(REPORT | times), 400, "out_of_order")
    assert refused["fields"][0]["field"] == "start_time"


def test_the_tail_of_the_output_has_a_limit():
    job = held_job()

    assert say(report_of(job, stdout_tail="x" * 65536)).status_code == 200
    refused = problem(say(report_of(job, seq=2, stdout_tail="x" * 65537)), 413, "too_large")
    assert refused["fields"][0]["limit"] == {"max": 65536}


def test_the_tail_of_the_output_is_any_text_but_nul():
    job = held_job()

    assert say(report_of(job, stdout_tail="\x1b[31mred\x1b[0m\r\n\ttab ü")).status_code == 200
    problem(say(report_of(job, seq=2, stdout_tail="a\0b")), 400, "null_character")
