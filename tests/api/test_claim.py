"""POST /rest/v1/pilot/claim: its own rows of bad input, and its answer."""

from contextlib import closing

import pytest
from django.db import connection

from brokerage.models import Site
from jobs.models import ClaimKey, Job, Pilot, PilotAccount
from pandasite.base.clock import database_now
from tests.api.calls import CLAIM, POSTS, changed, pilot, problem, send, the_site
from tests.builders import (
    ADLER32,
    create_dataset,
    create_file,
    create_job,
    create_site,
    local_storage,
)

pytestmark = pytest.mark.django_db
ADDRESS = POSTS[0]


def ask(body=CLAIM, *, key="k1", who=None):
    return send(who or pilot(), ADDRESS, body, HTTP_IDEMPOTENCY_KEY=key)


# -- a job, or none ----------------------------------------------------------------------------


def test_nothing_to_do_is_no_error():
    answer = ask()

    assert answer.status_code == 200
    body = answer.json()
    assert (body["job"], body["reason"]) == (None, "no_job")
    assert 1 <= body["retry_after"] <= 72
    assert body["message"]


@pytest.mark.parametrize("more", [{}, {"n_jobs": 5}])
def test_who_gets_no_job_is_told_in_the_header_when_to_come_again(more):
    answer = ask(CLAIM | more)

    assert answer.headers["Retry-After"] == str(answer.json()["retry_after"])


def test_who_gets_a_job_is_not_told_to_come_again():
    create_job("activated", site=the_site())

    assert "Retry-After" not in ask().headers


def test_the_answer_tells_all_that_a_pilot_needs():
    site = the_site()
    dataset = create_dataset("mc09.EVNT")
    source = create_file("EVNT.1", at=[local_storage(site)], dataset=dataset)
    job = create_job(
        "activated", site=site, inputs=[source], outputs=["HIST.1"], dataset=dataset,
        job_parameters="--events 300", max_cpu_count=600, working_group="higgs",
    )  # fmt: skip

    told = ask().json()["job"]

    assert (told["panda_id"], told["attempt_nr"]) == (job.pk, 1)
    assert len(told["lease_token"]) == 64
    assert (told["lease_seconds"], told["heartbeat_seconds"]) == (7200, 1800)
    assert (told["job_name"], told["transformation"]) == (job.job_name, "evgen.py")
    assert (told["job_parameters"], told["max_cpu_count"]) == ("--events 300", 600)
    assert (told["vo"], told["working_group"], told["prod_user_id"]) == ("atlas", "higgs", "alice")
    assert told["storage"] == {"name": "AGLT2_DISK", "url": "file:///nowhere"}
    (read,) = told["input_files"]
    assert (read["lfn"], read["scope"], read["dataset"]) == ("EVNT.1", "mc09", "mc09.EVNT")
    assert (read["size"], read["adler32"]) == (1000, ADLER32)
    assert read["path"].startswith("mc09/") and read["path"].endswith("/EVNT.1")
    assert told["output_files"][0]["path"].endswith("/HIST.1")
    assert told["log_file"]["lfn"] == f"log.{job.pk}._1.job.log.tgz"


def test_a_lost_answer_is_given_again():
    create_job("activated", site=the_site())
    create_job("activated", site=the_site())

    assert ask().json() == ask().json()
    assert Job.objects.filter(state="sent").count() == 1


def test_the_order_of_the_fields_does_not_make_another_body():
    create_job("activated", site=the_site())
    first = ask().json()

    assert ask(dict(reversed(CLAIM.items()))).json() == first


def test_a_site_that_is_offline_answers_with_the_reason():
    create_job("activated", site=the_site())
    Site.objects.update(status="offline", status_reason="power cut")

    body = ask().json()

    assert (body["job"], body["reason"]) == (None, "site_offline")
    assert "power cut" in body["message"]
    assert body["retry_after"] >= 1


# -- refusals ----------------------------------------------------------------------------------


def test_a_claim_must_name_its_site():
    refused = problem(ask({k: v for k, v in CLAIM.items() if k != "site"}), 400, "site_required")

    assert refused["fields"][0]["field"] == "site"


def test_a_site_that_nobody_knows_is_not_found():
    refused = problem(ask(CLAIM | {"site": "ATLANTIS"}), 404, "unknown_site")

    assert refused["fields"][0]["field"] == "site"


def test_a_token_is_good_for_one_site():
    create_site("MWT2_UC")

    problem(ask(CLAIM | {"site": "MWT2_UC"}), 403, "site_not_allowed")


@pytest.mark.parametrize("name", ["memory_mb", "free_disk_mb", "cpu_speed_mhz", "core_count"])
@pytest.mark.parametrize(
    ("value", "code"),
    [(-1, "out_of_range"), (2**31, "out_of_range"), ("2000", "not_an_integer"),
     (True, "not_an_integer"), (None, None)],
)  # fmt: skip
def test_a_measure_has_a_range(name, value, code):
    refused = problem(ask(CLAIM | {name: value}), 400, code or f"{name}_required")

    assert refused["fields"][0]["field"] == name
    assert name in refused["message"]


@pytest.mark.parametrize(
    ("node", "code"), [("x" * 129, "too_long"), ("wn\x0101", "control_character"), (" ", None)]
)
def test_a_node_has_a_name(node, code):
    problem(ask(CLAIM | {"node": node}), 400, code or "node_required")


@pytest.mark.parametrize("name", ["pilot_id", "factory"])
def test_names_of_pilots_and_factories_have_64_characters_at_most(name):
    assert ask(CLAIM | {name: "x" * 64}).status_code == 200
    problem(ask(CLAIM | {name: "x" * 65}), 400, "too_long")


def test_an_unknown_label_is_answered_with_the_known_ones():
    refused = problem(ask(CLAIM | {"labels": ["managed", "mannaged"]}), 400, "unknown_label")

    (fault,) = refused["fields"]
    assert fault["field"] == "labels[1]"
    assert {"managed", "user", "test"} <= set(fault["limit"]["values"])


@pytest.mark.parametrize(
    ("labels", "status", "code"),
    [([], 400, "too_few"), ("managed", 400, "not_a_list"), (["user"] * 20, 413, "too_many")],
)
def test_labels_are_a_list_of_some(labels, status, code):
    problem(ask(CLAIM | {"labels": labels}), status, code)


def test_releases_are_a_list_of_pairs():
    problem(ask(CLAIM | {"releases": ["Atlas-14.5.0"]}), 400, "not_an_object")
    problem(ask(CLAIM | {"releases": [{}]}), 400, "release_required")
    problem(ask(CLAIM | {"releases": [{"release": "x"}] * 2001}), 413, "too_many")
    assert ask(CLAIM | {"releases": []}).status_code == 200


def test_a_claim_without_a_key_is_refused():
    answer = pilot().post(ADDRESS.path, CLAIM)

    refused = problem(answer, 400, "key_required")
    assert refused["fields"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["x" * 65, "a b", "a/b", "ä", "a\tb", "a,b"])
def test_a_bad_key_is_refused(key):
    refused = problem(ask(key=key), 400, "bad_key")

    assert refused["fields"][0]["limit"] == {"min": 1, "max": 64}


def test_a_key_may_have_64_characters():
    assert ask(key="Aa0._-" + "x" * 58).status_code == 200


def test_the_same_key_with_another_body_is_refused():
    create_job("activated", site=the_site())
    ask(CLAIM)

    problem(ask(changed(CLAIM, ("memory_mb",), 1999)), 422, "key_reused")


def test_a_repeat_tells_its_own_time_and_gets_the_same_job():
    create_job("activated", site=the_site())
    first = ask(CLAIM | {"sent_at": "2009-01-31T12:00:00Z"}).json()

    assert ask(CLAIM | {"sent_at": "2009-01-31T12:01:00+00:00"}).json() == first
    assert ask(CLAIM).json() == first


def test_a_clock_that_is_far_off_is_noted_and_decides_nothing():
    job = create_job("activated", site=the_site())

    assert ask(CLAIM | {"sent_at": "2009-01-31T12:00:00Z"}).json()["job"]["panda_id"] == job.pk

    reason = job.events.get(to_state="sent").reason
    assert reason["clock_skew_s"] < -300
    assert reason["node"] == CLAIM["node"]


def test_a_clock_that_goes_well_is_not_noted():
    job = create_job("activated", site=the_site())

    ask(CLAIM | {"sent_at": database_now().isoformat()})

    assert "clock_skew_s" not in job.events.get(to_state="sent").reason


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("2009-01-31T12:00:00", "timezone_required"),
        ("2009-02-31T12:00:00Z", "invalid_time"),
        ("0001-01-01T00:00:00Z", "out_of_range"),
        (1233403200, "invalid_time"),
    ],
)
def test_a_time_that_is_none_is_refused(time, code):
    refused = problem(ask(CLAIM | {"sent_at": time}), 400, code)

    assert refused["fields"][0]["field"] == "sent_at"


def test_pilots_that_get_nothing_leave_no_key():
    who = pilot()
    for n in range(20):
        assert ask(key=f"k{n}", who=who).json()["job"] is None

    assert not ClaimKey.objects.exists()
    assert Pilot.objects.get().claims == 20


def test_a_key_is_bound_once_it_has_got_a_job():
    who, other = pilot(), CLAIM | {"memory_mb": 1999}
    assert ask(CLAIM, who=who).json()["job"] is None
    assert ask(other, who=who).json()["job"] is None
    job = create_job("activated", site=the_site())

    assert ask(other, who=who).json()["job"]["panda_id"] == job.pk
    problem(ask(CLAIM, who=who), 422, "key_reused")


def test_a_key_that_is_being_answered_asks_to_come_again():
    who = pilot()
    account = PilotAccount.objects.get()
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('k1', %s))", [account.pk])

        answer = ask(key="k1", who=who)
        cursor.execute("SELECT pg_advisory_unlock_all()")

    refused = problem(answer, 409, "in_flight")
    assert answer.headers["Retry-After"] == "1"
    assert refused["retry_after"] == 1
    assert ask(key="k1", who=who).status_code == 200


def test_a_full_site_answers_with_its_limit():
    create_job("running", site=the_site())
    Site.objects.update(job_cap=1)

    body = ask().json()

    assert (body["job"], body["reason"]) == (None, "site_full")
    assert body["message"].endswith("as it may have: 1")
