"""GET /rest/v1/jobs and /rest/v1/jobs/<PandaID>."""

import pytest
from django.db import connection

from jobs import services
from jobs.api.listing import KNOWN
from jobs.labels import LABELS
from jobs.models import Task
from jobs.states import JobState
from pandasite.base import snapshot
from tests.api.calls import client, person, pilot, problem
from tests.builders import (
    NOW,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_user,
)

pytestmark = pytest.mark.django_db
LIST = "/rest/v1/jobs"


def listed(query="", **params):
    """PandaIDs of a list."""
    return [job["panda_id"] for job in person().get(LIST + query, params).json()["jobs"]]


# -- the list ----------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first():
    jobs = [create_job() for _ in range(3)]

    assert listed() == [job.pk for job in reversed(jobs)]


def test_a_page_tells_where_the_next_one_begins():
    jobs = [create_job().pk for _ in range(5)][::-1]

    first = person().get(LIST, {"limit": 2}).json()
    second = person().get(LIST, {"limit": 2, "before": first["before"]}).json()
    last = person().get(LIST, {"limit": 2, "before": second["before"]}).json()

    pages = [[job["panda_id"] for job in page["jobs"]] for page in (first, second, last)]
    assert pages == [jobs[:2], jobs[2:4], jobs[4:]]
    assert last["before"] is None


def test_a_list_can_be_filtered():
    french = create_site("LYON", cloud=create_cloud("FR"))
    task = Task.objects.create(name="t1", owner=create_user(), created_at=NOW)
    a = create_job("running", site=french, prod_source_label="user")
    b = create_job("failed", task=task)

    assert listed(state="running") == listed(site="LYON") == listed(cloud="FR") == [a.pk]
    assert listed(label="user") == [a.pk]
    assert listed(task="t1") == listed(task=str(task.pk)) == listed(state="failed") == [b.pk]
    assert listed(state="running", task="t1") == []


def test_errors_are_listed_with_their_component():
    create_job("failed", pilot_error_code=1201, pilot_error_diag="SIGTERM")

    (job,) = person().get(LIST).json()["jobs"]

    assert job["errors"] == [{"component": "pilot", "code": 1201, "diag": "SIGTERM"}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?status=running", "unknown_filter"),
        ("?owner__password=x", "unknown_filter"),
        ("?state=merging", "unknown_state"),
        ("?limit=0", "out_of_range"),
        ("?limit=1001", "out_of_range"),
        ("?limit=-1", "out_of_range"),
        ("?limit=ten", "out_of_range"),
        ("?limit=1e2", "out_of_range"),
        ("?limit=", "out_of_range"),
        ("?limit=%D9%A3", "out_of_range"),
        ("?before=0", "out_of_range"),
        ("?before=9223372036854775808", "out_of_range"),
        (f"?before={'9' * 5000}", "out_of_range"),
        (f"?site={'x' * 256}", "too_long"),
        ("?label=mannaged", "unknown_label"),
        ("?site=NOPE", "unknown_site"),
        ("?cloud=NOPE", "unknown_cloud"),
        ("?site=a&site=b", "repeated"),
        ("?limit=10&limit=20", "repeated"),
        ("?format=xml", "unknown_value"),
        ("?site=a%00b", "null_character"),
    ],
)
def test_a_bad_filter_is_refused(query, code):
    refused = problem(person().get(LIST + query), 400, code)

    assert code == "null_character" or refused["fields"][0]["field"] in query


@pytest.mark.parametrize(
    ("query", "value", "limit"),
    [
        ("limit=1001", "1001", {"min": 1, "max": 1000}),
        ("limit=ten", "ten", {"min": 1, "max": 1000}),
        ("before=0", "0", {"min": 1, "max": 2**63 - 1}),
        ("label=mannaged", "mannaged", {"values": list(LABELS)}),
        ("state=merging", "merging", {"values": list(JobState)}),
        ("format=xml", "xml", {"values": ["json"]}),
        (f"{'x' * 10_000}=1", "xxx", {"values": list(KNOWN)}),
    ],
)
def test_a_refused_filter_is_told_the_value_and_what_it_may_be(query, value, limit):
    refused = person().get(f"{LIST}?{query}").json()

    assert value in refused["message"]
    assert refused["fields"][0]["limit"] == limit
    assert len(refused["message"]) < 600


def test_a_form_that_there_is_may_be_asked_for():
    create_job(panda_id=1)

    assert person().get(f"{LIST}?format=json").status_code == 200
    assert person().get(f"{LIST}/1?format=json").status_code == 200
    problem(person().get(f"{LIST}/1?format=xml"), 400, "unknown_value")


@pytest.mark.django_db(transaction=True)
def test_a_list_that_takes_too_long_asks_for_a_narrower_search(monkeypatch):
    monkeypatch.setattr(snapshot, "STATEMENT_MS", 50)

    def slow(_wanted):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(2)")

    monkeypatch.setattr("jobs.api.views.listed", slow)

    refused = problem(person().get(LIST), 422, "too_slow")

    assert "narrow your search" in refused["message"]


@pytest.mark.parametrize("text", ["%", "' OR 1=1 --", "_", "*", "\U0001f600"])
def test_a_filter_is_a_name_and_no_pattern(text):
    create_job("running", site=create_site("AGLT2"))

    problem(person().get(LIST, {"site": text}), 400, "unknown_site")
    assert listed(task=text) == []


# -- one job -----------------------------------------------------------------------------------


def test_a_job_is_told_with_files_events_and_decision():
    source = create_file("EVNT.1", at=[create_storage()])
    job = create_job(
        "waiting", inputs=[source], outputs=["HIST.1"], dataset=create_dataset("mc09.HIST")
    )
    services.wake([job.pk], now=NOW)

    told = person().get(f"{LIST}/{job.pk}").json()

    assert (told["panda_id"], told["state"]) == (job.pk, "defined")
    assert [(f["type"], f["lfn"], f["size"]) for f in told["files"]] == [
        ("input", "EVNT.1", 1000), ("output", "HIST.1", None),
    ]  # fmt: skip
    assert [(e["from_state"], e["to_state"]) for e in told["events"]] == [
        ("", "waiting"), ("waiting", "defined"),
    ]  # fmt: skip
    assert told["decision"] is None


def test_nothing_of_a_lease_is_told():
    job = create_job("running")

    text = person().get(f"{LIST}/{job.pk}").content.decode()

    assert job.lease_sha256 not in text
    assert "lease_" not in text


@pytest.mark.parametrize("panda_id", [0, 7, 2**63 - 1, 2**63, 10**40])
def test_a_job_that_is_not_there_is_not_found(panda_id):
    problem(person().get(f"{LIST}/{panda_id}"), 404, "not_found")


@pytest.mark.parametrize("what", ["x", "-1", "1.5", "1/2", "%00"])
def test_an_address_that_is_none_is_not_found(what):
    answer = person().get(f"{LIST}/{what}")

    assert answer.status_code in (400, 404)
    assert answer.headers["Content-Type"] == "application/problem+json"


# -- who ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIST, f"{LIST}/1"])
class TestWho:
    def test_reading_needs_a_token(self, path):
        answer = client().get(path)

        problem(answer, 401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == "Token"

    def test_pilots_do_not_read(self, path):
        problem(pilot().get(path), 403, "permission_denied")

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_nothing_is_changed_by_other_methods(self, path, method):
        answer = person().generic(method, path, b"{}", content_type="application/json")

        problem(answer, 405, "method_not_allowed")

    @pytest.mark.parametrize("accept", ["text/html", "application/xml"])
    def test_answers_are_json(self, path, accept):
        create_job(panda_id=1)

        problem(person().get(path, HTTP_ACCEPT=accept), 406, "not_acceptable")

    def test_answers_are_not_kept_by_caches(self, path):
        assert person().get(path).headers["Cache-Control"] == "no-store"
