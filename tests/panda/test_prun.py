"""prun's parameters as a task request: word by word, or refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.api.panda.client.changing import changes_of
from jobs.api.panda.prun import fields
from jobs.api.panda.prun.request import request_of
from jobs.models import Task
from jobs.tasks_engine import template
from pandasite.base.errors import BadInput
from tests.panda.prun import SAMPLES, sample

RUN = '-j "" --sourceURL http://127.0.0.1:25981 -r . '
# What each sample becomes, of the fields that tell it from others.
WANTED: dict[str, dict[str, Any]] = {
    "no_input": {
        "name": "user.jdoe.test1",
        "vo": "chemvo",
        "transformation": "runGen-00-00-02",
        "site": "SITE_Q",
        "events": 3,
        "events_per_job": 1,
        "outputs": [
            {
                "dataset": "user.jdoe.test1_out.txt",
                "scope": "user.jdoe",
                "lfn": "user.jdoe.${TASKID}._${SN6}.out.txt",
            }
        ],
        "job_parameters": RUN + "-a jobO.d4be82e3-8ae5-479a-9fd2-dad7a963151b.tar.gz"
        " -o \"{'out.txt': 'user.jdoe.${TASKID}._${SN6}.out.txt'}\" -p \"./run.sh%20${N+10}\"",
    },
    "input": {
        "inputs": ["user.jdoe.input"],
        "select": {"exclude": [r"\.log\.tgz(\.\d+)*$"], "files": 6},
        "files_per_job": 2,
        "gb_per_job": 0,
        "max_attempts": 3,
        "job_parameters": RUN + "-a jobO.987d3172-8af4-4b76-bf22-ca69fb50b66e.tar.gz"
        " -o \"{'out.txt': 'user.jdoe.${TASKID}._${SN6}.out.txt'}\""
        ' -i "${INLIST}" -p "./run.sh%20%25IN%20%3E%20out.txt"',
    },
    "events": {
        "select": {"exclude": [r"\.log\.tgz(\.\d+)*$"], "files": 5},
        "events_per_job": 100,
        "events_per_file": 1000,
        "files_per_job": 200,
        "gb_per_job": 10,
        "job_parameters": RUN + "-a jobO.a899586f-c365-4018-9407-4ce69e31e8ce.tar.gz"
        " -o \"{'o.dat': 'user.jdoe.${TASKID}._${SN6}.o.dat'}\" -i \"${INLIST}\""
        ' -p "python%20a.py%20%25IN%20${MAXEVENTS}%20${SKIPEVENTS}%20%25FIRSTEVENT"',
    },
    "real_events": {"events_per_job": 10, "events_per_file": 0, "core_count": 8, "memory_mb": 8000},
    "secondary": {
        "select": {"include": [r".*\.root"], "exclude": [r"\.log\.tgz(\.\d+)*$"], "skip": 1},
        "secondary": [
            {
                "dataset": "user.jdoe.pileup",
                "files_per_job": 1,
                "select": {"include": ["x.*"], "skip": 2},
            }
        ],
    },
    "build": {
        "build": {
            "transformation": "buildGen-00-00-01",
            "job_parameters": "-i sources.341f193d-faa3-4e1f-8a22-e01ab8f672a8.tar.gz"
            ' -o ${OUTPUT0} --sourceURL http://127.0.0.1:25981 -r . --bexec "make%20all"',
            "dataset": "user.jdoe.bld.lib",
            "scope": "user.jdoe",
            "lfn": "user.jdoe.bld.${TASKID}.lib.tgz",
        }
    },
    "merge": {
        "outputs": [
            {
                "dataset": "panda.um.user.jdoe.mrg_out.txt",
                "scope": "user.jdoe",
                "lfn": "panda.um.user.jdoe.${TASKID}._${SN6}.out.txt",
            }
        ],
        "merge": {
            "dataset": "user.jdoe.mrg_out.txt",
            "scope": "user.jdoe",
            "lfn": "user.jdoe.${TASKID}._${SN6}.out.txt",
            "transformation": "runMerge-00-00-02",
            "job_parameters": "-r . -a jobO.c04aaf3d-f145-4b79-92f5-000026ae6536.tar.gz"
            " --sourceURL http://127.0.0.1:25981 --trn \"{'${OUTPUT0}': ${INLIST}}\"",
            "files_per_job": 0,
            "gb_per_job": 2,
        },
    },
}


@pytest.mark.parametrize("name", WANTED)
def test_a_sample_becomes_the_request_that_it_means(name):
    request = request_of(sample(name))

    assert {field: request[field] for field in WANTED[name]} == WANTED[name]


def test_every_sample_has_its_row():
    assert {path.stem for path in SAMPLES.glob("*.json")} == {*WANTED, "container"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("secondary", "--inMap \"{'IN': ${INLIST}, 'IN2': ${SECONDARYLIST0}}\""),
        ("build", "-l ${LIB} "),
        ("merge", "'panda.um.user.jdoe.${TASKID}._${SN6}.out.txt'"),
        ("real_events", "echo%20${SKIPEVENTS+5}%20${SKIPEVENTS}%20"),
    ],
)
def test_the_jobs_are_told_what_the_sample_means(name, told):
    assert told in request_of(sample(name))["job_parameters"]


@pytest.mark.parametrize("name", WANTED)
def test_only_placeholders_that_the_engine_knows_are_left(name):
    request = request_of(sample(name))
    known = template.IN_PARAMETERS | template.LIB
    counts = {"SECONDARY": 1, "SECONDARYLIST": 1, "OUTPUT": 1}

    assert template.unknown(request["job_parameters"], known=known, counts=counts) == []
    assert "$JEDITASKID" not in str(request)


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("container", {}, "container_name is not offered here"),
        ("input", {"preproSpec": {"a": 1}}, "preproSpec"),
        ("input", {"pfnList": ["root://x"]}, "pfnList"),
        ("input", {"useSecrets": True}, "useSecrets"),
        ("input", {"excludedSite": ["X"]}, "excludedSite"),
        ("input", {"includedSite": ["X", "Y"]}, "includedSite"),
        ("input", {"transPath": "http://elsewhere/run.sh"}, "transPath"),
        ("input", {"nEvents": 10}, "nEvents needs nEventsPerFile"),
        ("input", {"ramCount": -1}, "ramCount must be between 1"),
        ("input", {"nFilesPerJob": "two"}, "nFilesPerJob must be a whole number"),
        ("no_input", {"nFilesPerJob": 2}, "nFilesPerJob needs an input"),
        ("no_input", {"taskName": ""}, "taskName is required"),
        ("merge", {"jobParameters": []}, "mergeOutput is for tasks with one output"),
        ("build", {"buildSpec": {"archiveName": "a.tgz"}}, "buildSpec.jobParameters is required"),
    ],
)
def test_what_cannot_be_had_here_is_refused_by_its_name(name, changes, named):
    with pytest.raises(BadInput, match=re.escape(named)):
        request_of(sample(name, **changes))


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"type": "constant", "value": "${ATTEMPTNR}"}, "has ${ATTEMPTNR}"),
        ({"type": "constant", "value": "${IN2}"}, "has ${IN2}"),
        ({"type": "constant", "value": "${LIB}"}, "has ${LIB}"),
        ({"type": "template", "value": "x", "param_type": "tmpl"}, "param_type tmpl"),
        ({"value": "${IN}", "param_type": "input", "dataset": "d", "ratio": 2}, "ratio"),
        (
            {"value": "${DBR}", "param_type": "input", "dataset": "d"},
            "database releases are not offered",
        ),
        (
            {"value": "regex|x", "param_type": "output", "dataset": "d", "hidden": True},
            "regex|: outputs are named before",
        ),
        (
            {"value": "o.${SN}", "param_type": "output", "dataset": "d", "allowNoOutput": True},
            "allowNoOutput is not offered",
        ),
        ({"value": 7}, "value must be a text"),
    ],
)
def test_an_item_that_cannot_be_had_is_refused_with_its_place(item, named):
    given = sample("input")
    given["jobParameters"].append(item)

    with pytest.raises(BadInput, match=re.escape(named)) as refused:
        request_of(given)

    place = f"jobParameters[{len(given['jobParameters']) - 1}]"
    assert refused.value.fields[0]["field"].startswith(place)


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(BadInput) as refused:
        request_of(sample("input", useSecrets=True, preproSpec={"a": 1}, ramCount="x"))

    assert {fault["field"] for fault in refused.value.fields} == {
        "useSecrets", "preproSpec", "ramCount",
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, "", False, 0, [], {}])
def test_a_field_that_says_nothing_is_nothing_to_refuse(value):
    assert request_of(sample("input", useSecrets=value, pfnList=value))


@given(
    texts=st.lists(
        st.tuples(st.text("abc${}%\"' ", max_size=8).filter(lambda s: "${" not in s), st.booleans())
    )
)
def test_constants_come_out_as_they_went_in_with_blanks_where_they_are_padded(texts):
    items = [{"type": "constant", "value": text, "padding": padded} for text, padded in texts]

    told = request_of(sample("no_input", jobParameters=items))["job_parameters"]

    assert told == "".join(text + " " * padded for text, padded in texts).strip()


def test_new_parameters_of_a_retry_are_those_of_the_engine():
    task = Task(spec={"core_count": 4, "files_per_job": 2})
    given = {"nFilesPerJob": 5, "ramCount": 1000, "site": "AGLT2", "maxAttempt": "3"}

    assert changes_of(given, task) == {
        "files_per_job": 5, "memory_mb": 4000, "site": "AGLT2", "max_attempts": 3,
    }  # fmt: skip


def test_a_new_parameter_that_cannot_change_is_refused_by_its_name():
    with pytest.raises(BadInput, match="nEvents cannot be changed"):
        changes_of({"nEvents": 5}, Task(spec={}))


def test_what_stays_as_it_is_is_no_change():
    assert changes_of({"nFilesPerJob": 2}, Task(spec={"files_per_job": 2})) == {}


def test_every_parameter_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "panda-tasks.md").read_text(encoding="utf-8")
    words = set(re.findall(r"`([A-Za-z_]+)`", text))

    assert (fields.TAKEN | fields.IDLE) - words == set()
