"""/rest/v1/tags: made once and for good, listed, looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from jobs.models import Tag
from pandasite.base.models import AuditLine
from tests.api.calls import person, problem
from tests.builders import create_user

pytestmark = pytest.mark.django_db
PATH = "/rest/v1/tags"
E1 = {
    "name": "e1",
    "transformation": "evgen.py",
    "cmt_config": "x86_64-slc5",
    "job_parameters": "--seed ${N} ${OUTPUT0}",
    "reason": "mc09",
}


def make(**fields: Any) -> Any:
    user = create_user("carol")
    user.user_permissions.add(Permission.objects.get(codename="add_tag"))
    return person("carol").post(PATH, json.dumps(E1 | fields), content_type="application/json")


def test_a_tag_is_made_once_and_the_same_again_is_the_same():
    first, again = make(), make(description="other words")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == person().get(f"{PATH}/e1").json()
    assert (first.json()["made_by"], first.json()["homepackage"]) == ("carol", "")
    assert AuditLine.objects.get(action="tag_make").reason == "mc09"


def test_a_tag_never_changes():
    make()

    problem(make(cmt_config="i686-slc4"), 409, "name_taken")
    for verb in ("put", "patch", "delete"):
        assert getattr(person("carol"), verb)(f"{PATH}/e1").status_code == 405
    assert Tag.objects.get().cmt_config == "x86_64-slc5"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": "a b"}, "name", "bad_tag"),
        ({"transformation": ""}, "transformation", "transformation_required"),
        ({"job_parameters": "${NOPE}"}, "job_parameters", "unknown_placeholder"),
        ({"reason": ""}, "reason", "reason_required"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
    ids=["name", "transformation", "placeholder", "reason", "unknown-field"],
)
def test_what_is_wrong_with_a_tag_is_named(change: dict[str, Any], field: str, code: str):
    told = problem(make(**change), 400, code)

    assert told["fields"][0]["field"] == field
    assert not Tag.objects.exists()


def test_who_has_not_the_right_makes_none():
    refused = person().post(PATH, json.dumps(E1), content_type="application/json")

    assert "jobs.add_tag" in problem(refused, 403, "not_allowed")["message"]
    assert not Tag.objects.exists()


def test_lists_are_filtered_and_continued():
    for name, transformation in (("e1", "evgen.py"), ("e2", "evgen.py"), ("s1", "simul.py")):
        make(name=name, transformation=transformation)

    def names(query: str) -> list[str]:
        return [tag["name"] for tag in person().get(f"{PATH}?{query}").json()["tags"]]

    first = person().get(f"{PATH}?limit=2").json()
    assert names("") == ["s1", "e2", "e1"]
    assert names("name=e") == names("transformation=evgen.py") == ["e2", "e1"]
    assert names(f"limit=2&before={first['before']}") == ["e1"]
    problem(person().get(f"{PATH}?state=x"), 400, "unknown_filter")
    problem(person().get(f"{PATH}?limit=0"), 400, "out_of_range")


@pytest.mark.parametrize("name", ["e1", "a%20b", "x" * 70], ids=["none", "two-words", "too-long"])
def test_a_name_that_is_no_tag_is_not_there(name: str):
    problem(person().get(f"{PATH}/{name}"), 404, "not_found")
