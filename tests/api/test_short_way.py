"""The short way of a body comes to the same end as the long one, and keeps nothing of a body."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from jobs.api.bodies import ClaimBody, KillBody, ReportBody, SubmitBody
from pandasite.base.flaws import BadNumber
from pandasite.base.serializers import (
    AwareDateTimeField,
    LfnField,
    StrictBooleanField,
    StrictCharField,
    StrictFloatField,
    StrictIntegerField,
    StrictListSerializer,
    StrictSerializer,
    validated,
)
from tests.api.calls import CLAIM, JOB, KILL, REPORT, REPORTED_FILE, SUBMIT

TIMES = {"sent_at": "2009-01-31T12:00:00Z", "start_time": "2009-01-31T12:00:00+01:00"}
EXAMPLES: list[tuple[type[StrictSerializer], dict[str, Any]]] = [
    (ClaimBody, CLAIM | {"sent_at": TIMES["sent_at"]}),
    (ReportBody, REPORT | TIMES | {
        "stdout_tail": "a\nb", "exit_code": -1, "pilot_error_diag": "", "exe_error_diag": "é",
        "output_files": [REPORTED_FILE | {"events": None}], "log_file": REPORTED_FILE,
    }),
    (SubmitBody, SUBMIT),
    (SubmitBody, {"jobs": [JOB, JOB | {"input_files": [], "cloud": None, "task": "x"}]}),
    (KillBody, KILL),
]  # fmt: skip
ODD = [
    None, True, 0, 1, -1, 1.5, 2**31, 2**70, BadNumber("out_of_range", "is too large"), "", " ",
    "a", "A" * 300, "a\nb", "\0", "é", "\u202e", "\ud800", "a..b", "-", "running", "user",
    "2009-01-31T12:00:00", [], [1], {}, {"lfn": "a"},
]  # fmt: skip


class Every(StrictSerializer):
    """Kinds and rules that no body of ours has."""

    number = StrictFloatField(min_value=-1, max_value=2)
    flag = StrictBooleanField(default=False)
    short = StrictCharField(min_length=2, max_length=3, allow_blank=True, allow_null=True)
    lfn = LfnField(allow_blank=True, required=False)
    at = AwareDateTimeField(required=False, allow_null=True)


EXAMPLES.append((Every, {"number": 1, "short": "ab", "lfn": "a", "at": TIMES["sent_at"]}))


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, its own first."""
    yield here
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*here, key))


def changed(body: Any, place: tuple[Any, ...], how: str, odd: Any) -> Any:
    """A copy with one place set to something odd, left out, or with a key beside it."""
    if not place:
        return odd
    other = copy.deepcopy(body)
    box = other
    for step in place[:-1]:
        box = box[step]
    if how == "gone":
        del box[place[-1]]
    elif how == "more" and isinstance(box, dict):
        box["more"] = odd
    else:
        box[place[-1]] = copy.deepcopy(odd)
    return other


def outcome(kind: type[StrictSerializer], data: Any) -> str:
    """The value or the errors of a new serializer."""
    try:
        return repr(kind().run_validation(data))
    except ValidationError as error:
        return repr(error.detail)


def the_long_way(kind: type[StrictSerializer], data: Any) -> str:
    with (
        mock.patch.object(StrictSerializer, "short_way", None),
        mock.patch.object(StrictListSerializer, "short_way", None),
    ):
        return outcome(kind, data)


@pytest.mark.parametrize(("kind", "body"), EXAMPLES)
def test_a_good_body_goes_the_short_way(kind: type[StrictSerializer], body: Any) -> None:
    short_way = kind().short_way

    assert short_way is not None
    assert repr(short_way(body)) == the_long_way(kind, body)


@given(st.data())
def test_both_ways_come_to_the_same_end(data: st.DataObject) -> None:
    kind, body = data.draw(st.sampled_from(EXAMPLES))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(body))))
        how = data.draw(st.sampled_from(["odd", "gone", "more"]))
        body = changed(body, place, how, data.draw(st.sampled_from(ODD)))

    assert outcome(kind, body) == the_long_way(kind, body)


@given(st.text(st.characters(), max_size=8))
def test_both_ways_take_the_same_texts(text: str) -> None:
    for place in ("job_name", "job_parameters", "working_group", "prod_source_label"):
        body = {"jobs": [JOB | {place: text}]}
        assert outcome(SubmitBody, body) == the_long_way(SubmitBody, body)
    for name in ("lfn", "scope", "dataset"):
        body = {"jobs": [JOB | {"output_files": [JOB["output_files"][0] | {name: text}]}]}
        assert outcome(SubmitBody, body) == the_long_way(SubmitBody, body)


# -- what has rules of its own goes the long way -----------------------------------------------


def refuse_all(value: Any) -> None:
    raise serializers.ValidationError("no")


class Ruled(StrictSerializer):
    name = StrictCharField(max_length=5)

    def validate_name(self, value: str) -> str:
        return value.upper()


class Renamed(StrictSerializer):
    name = StrictCharField(max_length=5, source="title")


class Validated(StrictSerializer):
    name = StrictCharField(max_length=5, validators=[refuse_all])


class Foreign(StrictSerializer):
    name = serializers.JSONField()


class MadeAnew(StrictSerializer):
    names = StrictIntegerField(min_value=0, max_value=1, default=lambda: 7)


class Overridden(StrictSerializer):
    def to_internal_value(self, data: Any) -> dict[str, Any]:
        return {"name": "x"}


@pytest.mark.parametrize("kind", [Ruled, Renamed, Validated, Foreign, MadeAnew, Overridden])
def test_what_has_a_rule_of_its_own_has_no_short_way(kind: type[StrictSerializer]) -> None:
    assert kind().short_way is None
    assert kind(many=True).short_way is None  # type: ignore[attr-defined]


def test_a_part_of_a_body_has_no_short_way() -> None:
    assert Every(partial=True, data={"flag": True}).is_valid()


# -- one serializer for all --------------------------------------------------------------------


def kept(field: Any) -> Any:
    """What a serializer and those below it hold."""
    inner = getattr(field, "fields", {}).values()
    child = getattr(field, "child", None)
    return vars(field).copy(), [kept(one) for one in [*inner, *([child] if child else [])]]


def ask_all(serializer: StrictSerializer, body: Any, wrong: Any) -> None:
    for place in places(body):
        with pytest.raises(ValidationError):
            serializer.run_validation(changed(body, place, "odd", wrong))


@pytest.mark.parametrize(("kind", "body"), EXAMPLES)
def test_nothing_of_a_body_stays_on_its_serializer(kind: type[StrictSerializer], body: Any) -> None:
    # given: one that was asked everything once, since DRF looks its own rules up when first asked
    serializer = kind()
    ask_all(serializer, body, {"no": "such"})
    the_first = repr(serializer.run_validation(body))
    before = kept(serializer)

    # when
    ask_all(serializer, body, {"nor": "this"})

    # then
    assert kept(serializer) == before
    assert repr(serializer.run_validation(body)) == the_first


def test_many_threads_share_a_serializer() -> None:
    def hear(n: int) -> Any:
        body = {"jobs": [JOB | {"job_name": f"job{n}", "min_ram_count": n if n % 3 else -1}]}
        try:
            return validated(SubmitBody, body)["jobs"][0]["job_name"]
        except ValidationError as error:
            return list(error.detail["jobs"][0])  # type: ignore[call-overload,index]

    with ThreadPoolExecutor(8) as threads:
        heard = list(threads.map(hear, range(300)))

    assert heard == [f"job{n}" if n % 3 else ["min_ram_count"] for n in range(300)]
