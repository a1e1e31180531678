"""POST /rest/v1/jobs: all or none, every fault with its job and field."""

import pytest

from brokerage.models import Cloud
from jobs.models import Job, Transformation
from tests.api.calls import JOB, POSTS, SUBMIT, person, problem, send
from tests.builders import (
    create_cloud,
    create_file,
    create_storage,
    create_transformation,
    create_user,
    create_vo,
)

pytestmark = pytest.mark.django_db
ADDRESS = POSTS[2]
OUTPUT = JOB["output_files"][0]


@pytest.fixture(autouse=True)
def atlas(db):
    return create_vo("atlas")


def submit(*jobs, who=None, **headers):
    return send(who or person(), ADDRESS, {"jobs": list(jobs)}, **headers)


def job(n=1, **fields):
    """A good job with an output of its own."""
    output = OUTPUT | {"lfn": f"HIST.{n}"}
    return JOB | {"job_name": f"job{n}", "output_files": [output]} | fields


# -- answers -----------------------------------------------------------------------------------


def test_submitted_jobs_are_answered_in_their_order():
    answer = submit(*(job(n) for n in range(3)))

    assert answer.status_code == 201
    body = answer.json()
    names = dict(Job.objects.values_list("pk", "job_name"))
    assert [names[one["panda_id"]] for one in body["jobs"]] == ["job0", "job1", "job2"]
    assert {one["state"] for one in body["jobs"]} == {"defined"}
    assert body["replayed"] is False


def test_what_a_job_does_not_say_has_a_default():
    submit(job())

    made = Job.objects.get()
    assert (made.assigned_priority, made.max_attempt, made.core_count) == (100, 3, 1)
    assert (made.min_ram_count, made.max_cpu_count, made.cloud, made.task) == (1500, 0, None, None)
    assert made.owner.username == "alice"


def test_a_thousand_jobs_go_in_one_call():
    answer = submit(*(job(n) for n in range(1000)))

    assert (answer.status_code, Job.objects.count()) == (201, 1000)


def test_a_repeated_key_is_answered_with_the_first_jobs():
    alice = person()
    first = submit(job(), who=alice, HTTP_IDEMPOTENCY_KEY="k")
    second = submit(job(), who=alice, HTTP_IDEMPOTENCY_KEY="k")

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json() | {"replayed": True}
    assert Job.objects.count() == 1


def test_a_key_is_good_for_one_body():
    alice = person()
    submit(job(), who=alice, HTTP_IDEMPOTENCY_KEY="k")

    problem(submit(job(2), who=alice, HTTP_IDEMPOTENCY_KEY="k"), 422, "key_reused")


def test_a_repeated_key_is_answered_whatever_has_gone_since():
    create_transformation("evgen.py")
    boss = person("boss", production=True)
    named = {"prod_source_label": "managed", "cloud": create_cloud("FR").name}
    first = submit(job(**named), who=boss, HTTP_IDEMPOTENCY_KEY="k")
    Transformation.objects.update(name="other.py")
    Job.objects.update(cloud=None)
    Cloud.objects.all().delete()
    create_user("boss").user_permissions.clear()

    again = submit(job(**named), who=boss, HTTP_IDEMPOTENCY_KEY="k")
    other = submit(job(2, **named), who=boss, HTTP_IDEMPOTENCY_KEY="k")
    fresh = submit(job(**named), who=boss)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"replayed": True}
    problem(other, 422, "key_reused")
    problem(fresh, 403, "label_not_allowed")


@pytest.mark.parametrize("key", ["x" * 65, "a b", "ä"])
def test_a_bad_key_is_refused(key):
    problem(submit(job(), HTTP_IDEMPOTENCY_KEY=key), 400, "bad_key")


def test_no_output_may_take_the_name_of_a_log_to_come():
    lfn = "log.4711._1.job.log.tgz"
    refused = problem(
        submit(job(output_files=[OUTPUT | {"scope": "log", "lfn": lfn}])), 400, "reserved_scope"
    )

    assert refused["fields"][0]["field"] == "jobs[0].output_files[0].scope"
    assert not Job.objects.exists()


def test_a_log_may_be_read():
    create_file("log.4711._1.job.log.tgz", scope="log")
    read = OUTPUT | {"scope": "log", "lfn": "log.4711._1.job.log.tgz"}

    assert submit(job(input_files=[read])).status_code == 201


# -- all or none -------------------------------------------------------------------------------


def test_no_jobs_are_too_few():
    problem(submit(), 400, "too_few")


def test_more_than_a_thousand_jobs_are_too_many():
    refused = problem(submit(*([{}] * 1001)), 413, "too_many")

    assert refused["fields"][0]["limit"]["max"] == 1000


def test_one_bad_job_keeps_all_out_and_each_fault_is_named():
    refused = problem(
        submit(job(1), job(2, min_ram_count=-1), job(3), {"vo": "atlas"}), 400, "out_of_range"
    )

    assert {one["field"] for one in refused["fields"]} == {
        "jobs[1].min_ram_count", "jobs[3].job_name", "jobs[3].prod_source_label",
        "jobs[3].transformation",
    }  # fmt: skip
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("job_name", "", "job_name_required"),
        ("job_name", "a\nb", "control_character"),
        ("job_definition_id", 0, "out_of_range"),
        ("prod_source_label", "mannaged", "unknown_label"),
        ("assigned_priority", 1_000_001, "out_of_range"),
        ("max_attempt", 0, "out_of_range"),
        ("max_attempt", 101, "out_of_range"),
        ("core_count", 0, "out_of_range"),
        ("max_cpu_count", 2**31, "out_of_range"),
        ("input_files", "x", "not_a_list"),
        ("state", "running", "unknown_field"),
        ("attempt_nr", 5, "unknown_field"),
        ("prod_user_id", "root", "unknown_field"),
    ],
)
def test_a_field_out_of_its_range_is_named_with_its_job(name, value, code):
    refused = problem(submit(job(1), job(2, **{name: value})), 400, code)

    assert refused["fields"][0]["field"] == f"jobs[1].{name}"


# -- files -------------------------------------------------------------------------------------

BAD_LFNS = [
    "../x", "..", ".", ".x", "-rf", "a/b", "/etc/passwd", "a\\b", "a..b", "a b", "a\nb", "a\0b",
    "%2e%2e", "ä", "x" * 251, "", "\u2024\u2024",
]  # fmt: skip


@pytest.mark.parametrize("lfn", BAD_LFNS)
def test_a_bad_file_name_is_refused(lfn):
    answer = submit(job(output_files=[OUTPUT | {"lfn": lfn}]))

    assert answer.status_code == 400
    assert answer.json()["fields"][0]["field"] == "jobs[0].output_files[0].lfn"
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("scope", "../x", "bad_scope"),
        ("scope", "a b", "bad_scope"),
        ("scope", "x" * 65, "too_long"),
        ("dataset", "../x", "bad_dataset"),
        ("dataset", "a b", "bad_dataset"),
        ("dataset", "x" * 241, "too_long"),
    ],
)
def test_a_bad_scope_or_dataset_is_refused(name, value, code):
    problem(submit(job(output_files=[OUTPUT | {name: value}])), 400, code)


def test_a_file_is_named_once_per_job_whatever_its_scope():
    other = OUTPUT | {"scope": "mc09"}

    refused = problem(submit(job(output_files=[OUTPUT, other])), 400, "duplicate_lfn")
    assert refused["fields"][0]["field"] == "jobs[0].output_files[1].lfn"


def test_a_file_is_not_input_and_output():
    problem(submit(job(input_files=[OUTPUT], output_files=[OUTPUT])), 400, "duplicate_lfn")


def test_two_jobs_do_not_make_the_same_file():
    refused = problem(submit(job(1), job(1)), 400, "duplicate_lfn")

    assert refused["fields"][0]["field"] == "jobs[1].output_files[0].lfn"


def test_two_jobs_may_read_the_same_file():
    source = {"lfn": "EVNT.1", "scope": "mc09"}
    create_file("EVNT.1", at=[create_storage()])

    assert submit(job(1, input_files=[source]), job(2, input_files=[source])).status_code == 201


def test_a_job_has_a_thousand_files_at_most():
    files = [OUTPUT | {"lfn": f"HIST.{n}"} for n in range(1001)]

    problem(submit(job(input_files=files)), 400, "too_many")


def test_inputs_and_outputs_are_a_thousand_files_together():
    inputs = [{"lfn": f"EVNT.{n}", "scope": "mc09"} for n in range(1000)]

    assert submit(job(1, input_files=inputs[:999])).status_code == 201
    refused = problem(submit(job(2), job(3, input_files=inputs)), 400, "too_many")

    (fault,) = refused["fields"]
    assert (fault["field"], fault["limit"]) == ("jobs[1]", {"max": 1000})
    assert "1001" in fault["message"]


def test_an_output_that_exists_is_refused():
    create_file("HIST.1", scope="user.alice")

    refused = problem(submit(job(2), job(1)), 422, "lfn_exists")
    assert refused["fields"][0]["field"] == "jobs[1].output_files[0].lfn"


# -- parameters ------------------------------------------------------------------------------


def test_parameters_have_a_limit_of_their_own():
    assert submit(job(1, job_parameters="x" * 65536)).status_code == 201
    refused = problem(submit(job(2, job_parameters="x" * 65537)), 413, "too_large")

    assert refused["fields"][0]["field"] == "jobs[0].job_parameters"
    assert refused["fields"][0]["limit"] == {"max": 65536}


def test_parameters_are_counted_in_bytes():
    assert submit(job(1, job_parameters="\u20ac" * 21845)).status_code == 201
    refused = problem(submit(job(2, job_parameters="\u20ac" * 21846)), 413, "too_large")

    assert "65536 bytes" in refused["message"]


def test_the_good_body_of_these_tests_is_good():
    assert send(person(), ADDRESS, SUBMIT).status_code == 201
