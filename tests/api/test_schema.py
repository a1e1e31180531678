"""The OpenAPI document: whatever it allows, and what it does not, is answered as it says."""

from collections.abc import Iterator

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from jobs import identity
from pandasite.wsgi import application
from tests.api.calls import the_site
from tests.builders import create_job, create_user, create_vo

pytestmark = pytest.mark.django_db
EXAMPLES = 5  # per address, method and mode
LONG_EXAMPLES = 80
OPERATIONS = (
    ("GET", "/rest/v1/me"),
    ("GET", "/rest/v1/jobs"),
    ("POST", "/rest/v1/jobs"),
    ("GET", "/rest/v1/jobs/{panda_id}"),
    ("POST", "/rest/v1/jobs/kill"),
    ("GET", "/rest/v1/tasks"),
    ("POST", "/rest/v1/tasks"),
    ("GET", "/rest/v1/tasks/{task_id}"),
    *(
        ("POST", f"/rest/v1/tasks/{{task_id}}/{deed}")
        for deed in ("kill", "finish", "retry", "pause", "resume", "priority")
    ),
    ("GET", "/rest/v1/tags"),
    ("POST", "/rest/v1/tags"),
    ("GET", "/rest/v1/tags/{name}"),
    ("POST", "/rest/v1/pilot/claim"),
    ("POST", "/rest/v1/pilot/report"),
    ("POST", "/rest/v1/pilot/reports"),
    ("POST", "/rest/v1/ddm/callbacks"),
    ("GET", "/rest/v1/datasets"),
    ("POST", "/rest/v1/datasets"),
    ("GET", "/rest/v1/datasets/{name}"),
    ("GET", "/rest/v1/datasets/{name}/files"),
    ("POST", "/rest/v1/datasets/{name}/files"),
    ("GET", "/rest/v1/files/{scope}/{lfn}"),
    ("GET", "/rest/v1/files/{scope}/{lfn}/content"),
    ("PUT", "/rest/v1/files/{scope}/{lfn}/content"),
    ("GET", "/rest/v1/subscriptions"),
    ("POST", "/rest/v1/subscriptions"),
    ("GET", "/rest/v1/subscriptions/{number}"),
    ("POST", "/rest/v1/subscriptions/{number}/cancel"),
    ("POST", "/rest/v1/subscriptions/{number}/priority"),
)
# These share the view and the body of the deed that is asked in their place: kill.
ALIKE = {f"/rest/v1/tasks/{{task_id}}/{deed}" for deed in ("finish", "pause", "resume")}
load_all_checks()
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    ]
)


@pytest.fixture
def schema(db: None) -> Iterator[schemathesis.BaseSchema]:
    """The live document. The requests of the test share its transaction, so it stays open."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/rest/v1/schema?format=json", application)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_the_document_describes_the_addresses_that_there_are(schema):
    described = {(o.ok().method.upper(), o.ok().path) for o in schema.get_all_operations()}

    assert described == set(OPERATIONS)


def test_the_document_tells_of_the_header_that_says_when_to_ask_again(schema):
    claim = schema["/rest/v1/pilot/claim"]["POST"].definition.raw

    assert claim["responses"]["200"]["headers"]["Retry-After"]["schema"]["type"] == "integer"
    assert [one["name"] for one in claim["parameters"]] == ["Idempotency-Key"]


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(LONG_EXAMPLES, marks=pytest.mark.long)]
)
@pytest.mark.parametrize(("method", "path"), [one for one in OPERATIONS if one[1] not in ALIKE])
def test_every_request_is_answered_as_the_document_says(schema, method, path, examples, mode):
    site = the_site()
    create_vo("atlas")
    for state in ("activated", "activated", "running", "failed"):
        create_job(state, site=site)
    token = identity.new_pilot_token(site)
    if "pilot" not in path:
        token = identity.new_token(create_user(), days=1)
    operation = schema[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        answer = case.call(headers={"Authorization": f"Token {token}"})
        case.validate_response(answer, checks=CHECKED)

    ask()
