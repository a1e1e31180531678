"""POST /rest/v1/pilot/claim with `n_jobs`: a list of jobs in the place of one."""

import pytest

from tests.api.calls import CLAIM, problem, the_site
from tests.api.test_claim import ask
from tests.builders import create_job

pytestmark = pytest.mark.django_db


def test_who_asks_for_some_jobs_gets_a_list():
    jobs = [create_job("activated", site=the_site()).pk for _ in range(3)]

    body = ask(CLAIM | {"n_jobs": 2}).json()

    assert [job["panda_id"] for job in body["jobs"]] == jobs[:2]
    assert "job" not in body


def test_who_asks_for_some_jobs_and_gets_none_is_told_why():
    body = ask(CLAIM | {"n_jobs": 2}).json()

    assert (body["jobs"], body["reason"]) == ([], "no_job")
    assert body["retry_after"] >= 1


@pytest.mark.parametrize("n_jobs", [0, 101, -1])
def test_a_claim_is_for_one_to_a_hundred_jobs(n_jobs):
    refused = problem(ask(CLAIM | {"n_jobs": n_jobs}), 400, "out_of_range")

    assert refused["fields"][0]["limit"] == {"min": 1, "max": 100}


def test_a_key_is_for_a_number_of_jobs_too():
    create_job("activated", site=the_site())
    ask(CLAIM | {"n_jobs": 1})

    problem(ask(CLAIM | {"n_jobs": 2}), 422, "key_reused")
