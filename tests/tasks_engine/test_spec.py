"""What a task request may say, and how it is refused."""

from __future__ import annotations

import pytest

from jobs.tasks_engine.spec import TaskSpec, spec_from, specs_from
from pandasite.base.errors import BadInput
from tests.builders import create_dataset, create_transformation, create_user, create_vo
from tests.tasks_engine.requests import checked, evgen, registered, simul

pytestmark = pytest.mark.django_db


def faults(request: dict) -> dict[str, str]:
    """Field -> code of what is wrong with a request."""
    create_vo()
    with pytest.raises(BadInput) as refused:
        spec_from(request, owner=create_user().username)
    return {fault["field"]: fault["code"] for fault in refused.value.fields}


def test_a_right_request_becomes_a_spec_that_survives_the_database():
    spec = checked(evgen(merge=None, memory_mb=2000))

    assert (spec.events, spec.outputs[0].dataset, spec.max_attempts) == (100, "mc09.evgen.EVNT", 3)
    again = spec.as_json()
    assert TaskSpec.of(again, owner=again["owner"]) == spec


def test_every_wrong_field_is_named_at_once():
    create_transformation("evgen.py")
    wrong = evgen(
        transformation="evgne.py",
        job_parameters="${SEED}",
        parent="nobody",
        cloud="XX",
        events_per_job=0,
    )

    assert faults(wrong) == {
        "transformation": "unknown_name",
        "job_parameters": "unknown_placeholder",
        "parent": "no_such_task",
        "cloud": "unknown_name",
        "events_per_job": "events_per_job_required",
    }


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        pytest.param({"events": -1}, "events", "out_of_range", id="negative events"),
        pytest.param({"colour": "red"}, "colour", "unknown_field", id="unknown field"),
        pytest.param({"inputs": ["no.such"]}, "inputs[0]", "no_such_dataset", id="no dataset"),
        pytest.param({"files_per_job": 3}, "files_per_job", "needs_input", id="files, no input"),
        pytest.param(
            {"outputs": [{"dataset": "a", "scope": "log", "lfn": "x.${SN}"}]},
            "outputs[0].scope",
            "reserved_scope",
            id="scope of logs",
        ),
        pytest.param(
            {"outputs": [{"dataset": "a", "scope": "mc", "lfn": "x"}]},
            "outputs[0].lfn",
            "no_serial",
            id="one name for all",
        ),
        pytest.param({"parent": "mc09.evgen"}, "parent", "circular", id="its own parent"),
    ],
)
def test_a_request_that_can_never_be_right_is_refused(change, field, code):
    assert faults(evgen(**change))[field] == code


def test_the_limit_of_a_number_stands_beside_its_fault():
    create_vo()
    with pytest.raises(BadInput) as refused:
        spec_from(evgen(events=-1), owner="alice")

    assert refused.value.fields[0]["limit"] == {"min": 0, "max": 10**12}


def test_a_chain_may_come_at_once_and_a_wrong_link_refuses_those_that_need_it():
    create_vo()
    good, child = evgen(), simul("mc09.evgen.EVNT", parent="mc09.evgen")
    bad = evgen(name="bad", vo="nobody")
    orphan = simul("bad.EVNT", name="orphan")

    found = specs_from([(one, "alice") for one in (child, good, orphan, bad)])

    assert [isinstance(one, TaskSpec) for one in found] == [True, True, False, False]
    assert "bad.EVNT does not exist" in found[2].message


def test_parents_in_a_circle_are_refused():
    create_vo()
    requests = [(evgen(name="a", parent="b"), "alice"), (evgen(name="b", parent="a"), "alice")]

    assert [one.code for one in specs_from(requests)] == ["circular", "circular"]


def test_a_dataset_that_a_task_is_going_to_make_may_be_read():
    registered(evgen())

    assert checked(simul("mc09.evgen.EVNT")).inputs == ("mc09.evgen.EVNT",)


def test_an_output_goes_into_no_dataset_that_is_closed():
    create_dataset("mc09.evgen.EVNT", state="frozen")

    assert faults(evgen()) == {"outputs[0].dataset": "dataset_closed"}
