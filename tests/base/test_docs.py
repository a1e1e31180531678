"""What the documentation says is what the code has."""

import json
import re
from pathlib import Path

import pytest

from jobs.api.bodies import ClaimBody, FileBody, JobBody, ReportBody, ReportedFileBody
from jobs.api.urls import urlpatterns as rest_addresses
from jobs.states import MOVES
from pandasite.demo.grid import GENERATION
from pandasite.limits import LIMITS, SWEEP_EMBEDDED, SWEEP_PRODUCTION

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def documented_limits() -> dict[str, int]:
    rows = re.findall(r"\| `PANDASITE_(\w+)` \| (\d+)", text_of("production.md"))
    return {name: int(default) for name, default in rows}


def test_every_limit_is_documented_with_its_default() -> None:
    expected = {name: limit.default for name, limit in LIMITS.items()}
    assert documented_limits() == expected | {"SWEEP_SECONDS": SWEEP_PRODUCTION.default}


def test_the_embedded_rhythm_of_the_sweeps_is_documented() -> None:
    assert f"(embedded: {SWEEP_EMBEDDED.default})" in text_of("production.md")


def test_the_documented_moves_are_those_of_the_code() -> None:
    table, *_ = text_of("states.md").split("\n## ")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \|([^|]*)\|$", table, re.MULTILINE)
    documented = {state: set(re.findall(r"`(\w+)`", ends)) for state, ends in rows}
    assert documented == {state.value: {to.value for to in ends} for state, ends in MOVES.items()}


def test_every_address_is_documented() -> None:
    documented = set(re.findall(r"^\| `\w+ /rest/v1/([^`]+)`", text_of("rest.md"), re.MULTILINE))
    plain = {re.sub(r"<\w+:(\w+)>", r"<\1>", str(entry.pattern)) for entry in rest_addresses}
    theirs = {"<panda_id>": "<PandaID>", "<task_id>": "<taskID>"}
    known = {re.sub("|".join(theirs), lambda found: theirs[found[0]], path) for path in plain}
    assert documented == known


@pytest.mark.parametrize("body", [JobBody, ClaimBody, ReportBody, FileBody, ReportedFileBody])
def test_every_field_of_a_request_is_documented(body: type) -> None:
    fields = body().fields  # type: ignore[attr-defined]
    words = set(re.findall(r"`([a-z_0-9]+)`", text_of("rest.md")))
    diagnostics = {name for name in fields if name.endswith("_diag")}
    assert set(fields) - words - diagnostics == set()


def test_the_example_of_a_submission_names_its_output_to_the_program() -> None:
    example = re.search(r"-d '(\{.*?\})'\n", text_of("rest.md"), re.DOTALL)
    assert example
    job = json.loads(example[1])["jobs"][0]
    assert job["atlas_release"] == GENERATION  # else it is sent where the program is not
    assert f"--output={job['output_files'][0]['lfn']}" in job["job_parameters"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_no_link_leads_nowhere(text: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text.read_text(encoding="utf-8"))
    assert [link for link in links if not (text.parent / link).exists()] == []
