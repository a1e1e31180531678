"""What the end of a payload means, as a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilot_client.judge import PayloadReport, judge, read_report


@pytest.mark.parametrize(
    ("status", "exit_code", "pilot", "exe"),
    [
        (0, 0, 0, 0),
        (1, 1, 0, 69999),
        (-11, 139, 0, 60010),
        (139, 139, 0, 60010),
        (-6, 134, 0, 69999),
        (-7, 135, 0, 69999),
        (-9, 137, 1200, 0),
        (137, 137, 1200, 0),
        (-15, 143, 1201, 0),
        (-24, 152, 1204, 0),
        (-25, 153, 1124, 0),
        (255, 255, 0, 69999),
    ],
)
def test_one_error_is_set_and_it_is_the_primary_one(
    status: int, exit_code: int, pilot: int, exe: int
) -> None:
    verdict = judge(status=status, report=PayloadReport(), last_words="")

    assert (verdict.exit_code, verdict.pilot_code, verdict.exe_code) == (exit_code, pilot, exe)
    assert verdict.failed == bool(status)
    assert bool(verdict.pilot_diag) == bool(pilot)
    assert bool(verdict.exe_diag) == bool(exe)


def test_a_reported_failure_counts_though_the_process_said_zero() -> None:
    report = PayloadReport(exit_code=62600, message="AthenaCrash")

    verdict = judge(status=0, report=report, last_words="")

    assert verdict.exe_code == 62600
    assert verdict.exe_diag == "exit code 0: AthenaCrash"


def test_the_reports_message_is_preferred_to_the_last_line_of_stderr() -> None:
    report = PayloadReport(exit_code=65, message="no such histogram")

    verdict = judge(status=65, report=report, last_words="Traceback")

    assert verdict.exe_code == 69999
    assert verdict.exe_diag == "exit code 65: no such histogram"


def test_a_good_report_is_read(tmp_path: Path) -> None:
    text = {"exitCode": 3, "exitMsg": "bad\r\nluck", "files": {"a": {"events": 5}, "b": {}}}
    (tmp_path / "jobReport.json").write_text(json.dumps(text))

    report = read_report(tmp_path)

    assert report == PayloadReport(exit_code=3, message="bad\nluck", events={"a": 5})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, "\xff", "1" * 5000, " " * (4 * 1024 * 1024 + 1)],
    ids=["empty", "cut off", "list", "deep", "no UTF-8", "long number", "too long"],
)
def test_a_broken_report_is_a_problem_and_no_exception(tmp_path: Path, text: str) -> None:
    (tmp_path / "jobReport.json").write_text(text, encoding="latin-1")

    report = read_report(tmp_path)

    assert "jobReport.json" in report.problem
    assert report.exit_code == 0


@pytest.mark.parametrize("value", ["x", True, 1.5, -1, 10**9, None, {}])
def test_values_of_a_wrong_kind_in_a_report_are_left_out(tmp_path: Path, value: object) -> None:
    text = {"exitCode": value, "files": {"a": value}}
    (tmp_path / "jobReport.json").write_text(json.dumps(text))

    report = read_report(tmp_path)

    assert report.exit_code == 0
    assert report.events == {}
