"""Whose loss an error is."""

from __future__ import annotations

import pytest

from jobs.ends import Sum
from jobs.errors import catalogue
from jobs.models import ERROR_COMPONENTS
from monitor.errors.loss import CLASSES, PILOTS_DATA, loss_class, percent, totals


@pytest.mark.parametrize(
    ("component", "code", "name"),
    [
        ("trans", 5, "trans"),
        ("exe", 60010, "trans"),
        ("pilot", 1201, "panda"),
        ("pilot", 1099, "ddm"),
        ("ddm", 200, "ddm"),
        ("job_dispatcher", 100, "panda"),
        ("brokerage", 100, "panda"),
        ("task_buffer", 101, "panda"),
        ("sup", 1, "other"),
        ("none", 0, "other"),
    ],
)
def test_each_error_is_the_loss_of_one_class(component: str, code: int, name: str) -> None:
    assert loss_class(component, code) == name


def test_every_component_has_a_class_and_every_code_of_files_is_in_the_catalogue() -> None:
    assert {loss_class(component, 0) for component in ERROR_COMPONENTS} <= set(CLASSES)
    assert {row.code for row in catalogue() if row.component == "pilot"} >= PILOTS_DATA


def one(state: str, component: str, code: int, **numbers: int) -> Sum:
    given = {"n": 1, "jobs": 1, "cpu_s": 0, "lost_s": 0, "busy_s": 0} | numbers
    return Sum(key=(state, component, code), latest=None, **given)


def test_a_job_with_two_errors_is_lost_once() -> None:
    found = totals([
        one("failed", "exe", 5, cpu_s=100, lost_s=100, busy_s=200),
        one("failed", "pilot", 1305, jobs=0, cpu_s=100),
        one("finished", "", 0, jobs=3, cpu_s=500, lost_s=500, busy_s=800),
    ])  # fmt: skip

    assert (found.finished, found.failed, found.cancelled) == (3, 1, 0)
    assert found.failed_percent == 25.0
    assert found.lost_s == 100
    assert {loss.name: loss.percent for loss in found.losses} == {
        "trans": 10.0, "panda": 0.0, "ddm": 0.0, "other": 0.0,
    }  # fmt: skip


def test_of_nothing_there_is_no_percentage_and_halves_go_up() -> None:
    assert percent(0, 0) is None
    assert totals([]).failed_percent is None
    assert percent(1, 16) == 6.3
