"""Every address of PanDA: the row that the documentation has is what a caller meets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.api.panda import sandboxes
from jobs.api.panda.endpoints import BULK, BY_LEASE, HANDLERS, OPEN, TABLE
from tests.panda.calls import GET_JOB, form, get, get_job, packed, token, told, waiting_job, word

pytestmark = pytest.mark.django_db
DOC = Path(__file__).parents[2] / "docs" / "panda-compatibility.md"
WORDS = {
    "works": "works",
    "polite": "answers politely",
    "not yet": "not yet",
    "not meant": "not meant here",
}
ROW = re.compile(r"^\| `(/(?:server|api)/\S+)` \| (\w+) \| ([a-z ]+) \| (.*) \|$", re.MULTILINE)
ANSWERED = [e for e in TABLE.values() if e.verdict in ("works", "polite")]
REFUSED = [e for e in TABLE.values() if e.verdict in ("not yet", "not meant")]


def call(endpoint, values=None, *, by=""):
    how = get if endpoint.method == "GET" else form
    return how(endpoint.path, values or {}, by=by)


def test_the_documentation_has_a_row_for_each_address_with_its_verdict():
    documented = {row[0]: row[1:] for row in ROW.findall(DOC.read_text(encoding="utf-8"))}

    assert documented == {e.path: (e.method, WORDS[e.verdict], e.note) for e in TABLE.values()}
    assert len(TABLE) == 195


def test_exactly_what_is_answered_has_a_handler():
    assert set(HANDLERS) == {e.path for e in ANSWERED}


@pytest.mark.parametrize("endpoint", ANSWERED, ids=lambda e: e.path)
def test_nothing_is_answered_without_a_token_but_that_the_site_is_alive(endpoint):
    assert call(endpoint).status_code == (200 if endpoint.path in OPEN else 401)


@pytest.mark.parametrize("endpoint", REFUSED[::6], ids=lambda e: e.path)
def test_what_is_not_offered_is_refused_without_a_token_as_anything_else(endpoint):
    assert call(endpoint).status_code == 401


def test_what_is_not_offered_is_answered_with_the_reason():
    by = token()
    for endpoint in REFUSED:
        answer = call(endpoint, by=by)
        body = told(answer)
        assert answer.status_code == 200, endpoint
        assert endpoint.note in body["message"] and "is not offered here" in body["message"]
        assert body.get("success") is False or body.get("StatusCode") == 30


# Arguments with which each call makes sense.
GIVEN = {
    "ids": "1", "job_ids": "1", "jobList": "[{}]", "job_list": [{}], "site_name": "AGLT2",
    "client_name": "pilot_server", "workerID": "1", "harvesterID": "h", "status": "started",
} | GET_JOB  # fmt: skip


@pytest.mark.parametrize(
    "endpoint",
    # the file server is for people: test_sandboxes
    [e for e in ANSWERED if e.path not in {*BY_LEASE, *sandboxes.HANDLERS}],
    ids=lambda e: e.path,
)
def test_an_answer_has_the_form_of_its_door(endpoint):
    answer = call(endpoint, GIVEN, by=token())

    assert answer.status_code == 200, answer.content
    if endpoint.path.startswith("/api/"):
        body = told(answer)
        assert body.keys() == {"success", "message", "data"}
        refuses = endpoint.note.startswith("refused: ")
        assert body["success"] is not refuses
        assert (endpoint.note.removeprefix("refused: ") in body["message"]) is refuses
    elif code := re.match(r"`StatusCode` (\d+): (.*)", endpoint.note):
        assert told(answer)["StatusCode"] == int(code[1])
        assert code[2] in told(answer)["message"]


@pytest.mark.parametrize("path", BY_LEASE)
def test_the_calls_of_a_job_are_in_the_form_of_their_door(path):
    by = token()
    waiting_job()
    job = get_job(by=by) if "update" in path else {"PandaID": 1, "attemptNr": 1}
    old = word(job, "running")
    new = {"job_id": job["PandaID"], "attempt_nr": 1, "job_status": "running", "site_name": "AGLT2"}
    new |= {"node": old["node"]}
    one = GET_JOB | old | new
    values = one | {"jobList": [old], "job_list": [new]} if path in BULK else one

    body = told(packed(path, values, by=by))

    if path.startswith("/api/"):
        assert (body["success"], body["message"]) == (True, "")
        body = body["data"]
    first = body[1][0] if isinstance(body, list) and body[0] is True else body
    first = first[0] if isinstance(first, list) else first
    assert first["StatusCode"] == 0


def test_the_words_of_old_that_are_no_json_stay_so():
    assert form("/server/panda/isAlive", {}).content == b"alive=yes"
    assert form("/server/panda/get_max_worker_id", {}, by=token()).content == b"0"
    types = told(form("/server/panda/getResourceTypes", {}, by=token()))["ResourceTypes"]
    assert types.startswith("[{'resource_name': 'SCORE', ")


def test_live_jobs_are_counted_by_site_cloud_and_label():
    by = token()
    waiting_job()
    waiting_job(prod_source_label="user")

    def data(name, **values):
        return told(get(f"/api/v1/statistics/{name}", values, by=by))["data"]

    assert data("active_job_stats_by_site") == {"AGLT2": {"activated": 2}}
    assert data("job_stats_by_cloud", type="analysis") == {"US": {"activated": 1}}
    assert data("active_job_detailed_stats_by_site")["AGLT2"]["SCORE"] == {
        "managed": {"activated": 1},
        "user": {"activated": 1},
    }
