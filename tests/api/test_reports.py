"""POST /rest/v1/pilot/reports: each report is answered as it would be alone."""

import pytest

from jobs import services
from jobs.models import Job, Pulse
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
ALONE, TOGETHER = POSTS[1], POSTS[-1]


def say(*reports, who=None):
    return send(who or pilot(), TOGETHER, {"reports": list(reports)})


def test_each_report_is_answered_in_its_place():
    jobs = [held_job() for _ in range(3)]

    answer = say(*(report_of(job, cpu_consumption_time=60) for job in reversed(jobs)))

    assert answer.status_code == 200
    assert answer.json() == {
        "answers": [
            {
                "panda_id": job.pk, "state": "running", "command": None, "lease_seconds": 7200,
                "replayed": False,
            }
            for job in reversed(jobs)
        ]
    }  # fmt: skip
    assert set(Pulse.objects.values_list("cpu_consumption_time", flat=True)) == {60}


def test_a_final_word_may_be_among_them():
    ends, goes_on = held_job(outputs=["HIST.1"]), held_job()

    answer = say(
        report_of(ends, state="finished", exit_code=0, output_files=[REPORTED_FILE]),
        report_of(goes_on),
    )

    assert [one["state"] for one in answer.json()["answers"]] == ["holding", "running"]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"lease_token": "x"}, 409, "stale_lease"),
        ({"attempt_nr": 2}, 409, "stale_attempt"),
        ({"panda_id": 2**40}, 404, "not_found"),
        ({"state": "finished", "output_files": []}, 422, "missing_outputs"),
    ],
)
def test_a_refusal_is_what_it_would_be_alone_and_stops_no_other(wrong, status, code):
    bad, good, who = held_job(outputs=["HIST.1"]), held_job(), pilot()
    refused = problem(send(who, ALONE, report_of(bad, **wrong)), status, code)

    answer = say(report_of(bad, **wrong), report_of(good), who=who)

    first, second = answer.json()["answers"]
    del refused["request_id"]
    assert answer.status_code == 200
    assert first == {
        "panda_id": wrong.get("panda_id", bad.pk), "problem": {"status": status} | refused,
    }  # fmt: skip
    assert second["state"] == "running"
    assert Job.objects.get(pk=bad.pk).state == "running"


def test_a_job_of_another_site_is_as_good_as_none():
    job = create_job("running", site=create_site("MWT2_UC"))

    (answer,) = say(report_of(job)).json()["answers"]

    assert answer["problem"]["code"] == "not_found"


def test_commands_and_replays_ride_on_the_answers():
    killed, heard = held_job(), held_job(report_seq=1)
    services.kill(killed.pk, actor="alice", reason="wrong seed", now=database_now())

    answers = say(report_of(killed), report_of(heard)).json()["answers"]

    assert [one["command"] for one in answers] == ["tobekilled", None]
    assert [one["replayed"] for one in answers] == [False, True]


def test_a_diagnosis_that_is_cut_is_said_to_be():
    job = held_job()

    (answer,) = say(report_of(job, state="failed", pilot_error_diag="x" * 600)).json()["answers"]

    assert answer["truncated"] is True


def test_the_same_call_again_is_answered_again_and_changes_nothing():
    jobs = [held_job() for _ in range(2)]
    reports = [report_of(jobs[0]), report_of(jobs[1], state="failed", exit_code=1)]
    say(*reports)
    before = list(Job.objects.values())

    again = say(*reports).json()["answers"]

    assert [one["replayed"] for one in again] == [True, True]
    assert list(Job.objects.values()) == before


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"seq": "1"}, "not_an_integer"), ({"seq": 0}, "out_of_range"), ({"sec": 1}, "unknown_field")],
)
def test_a_report_that_is_malformed_refuses_them_all(wrong, code):
    good = held_job()

    refused = problem(say(*[report_of(good)] * 3, report_of(good, **wrong)), 400, code)

    assert refused["fields"][0]["field"] == f"reports[3].{next(iter(wrong))}"
    assert Pulse.objects.get().report_seq == 0


def test_there_is_one_report_at_least_and_five_hundred_at_most():
    job = held_job()

    problem(say(), 400, "too_few")
    assert say(*[report_of(job)] * 500).status_code == 200
    refused = problem(say(*[REPORT] * 501), 413, "too_many")
    assert refused["fields"][0]["limit"] == {"min": 1, "max": 500}


def test_the_tail_of_an_output_has_a_limit_here_too():
    job = held_job()

    refused = problem(say(REPORT, report_of(job, stdout_tail="x" * 65537)), 413, "too_large")

    assert refused["fields"][0]["field"] == "reports[1].stdout_tail"


def test_a_token_that_was_taken_back_opens_nothing_more():
    job, who = held_job(), pilot()
    say(report_of(job), who=who)
    from knox.models import get_token_model

    get_token_model().objects.all().delete()

    problem(say(report_of(job, seq=2), who=who), 401, "invalid_token")
    problem(send(who, ALONE, report_of(job, seq=2)), 401, "invalid_token")
    assert Pulse.objects.get().report_seq == 1
