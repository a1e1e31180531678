"""What of a log record is kept: its kind, its facts, no secret, and no more than fits."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from monitor.logger.kinds import is_kept, is_routine, kind_of
from monitor.logger.records import LONGEST_EVENT, LONGEST_FACT, line_of


def record(msg: Any = "hello %s", *args: Any, name: str = "jobs.watch", **extra: Any) -> Any:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, msg, args, None)
    vars(made).update(extra)
    return made


@pytest.mark.parametrize(
    ("logger", "kind"),
    [
        ("brokerage.services", "brokerage"),
        ("jobs.assign", "brokerage"),
        ("jobs.watch", "dispatch"),
        ("jobs.assignments", "dispatch"),
        ("jobs.register", "ddm"),
        ("datasets.engine", "ddm"),
        ("jobs.bamboo", "bamboo"),
        ("jobs.proddb.door", "bamboo"),
        ("django_structlog.middlewares.request", "server"),
        ("jobsite", "server"),
    ],
)
def test_a_logger_speaks_for_a_part_of_the_system(logger: str, kind: str) -> None:
    assert kind_of(logger) == kind


def test_warnings_of_all_are_kept_and_information_of_our_own_parts() -> None:
    assert is_kept("urllib3", logging.WARNING)
    assert is_kept("jobs.assign", logging.INFO)
    assert not is_kept("urllib3", logging.INFO)
    assert not is_kept("jobs.assign", logging.DEBUG)


def test_a_round_that_is_left_to_the_next_one_is_no_warning() -> None:
    assert is_routine("task_revoked", {"expired": True})
    assert not is_routine("task_revoked", {"expired": False})
    assert not is_routine("request_failed", {"expired": True})


def test_a_plain_record_has_its_text_and_its_fields() -> None:
    line = line_of(record("took %s jobs", 7, rule="silent", jobs={"AGLT2": 3}))

    assert (line.event, line.kind, line.level) == ("took 7 jobs", "dispatch", 30)
    assert line.facts == {"rule": "silent", "jobs": {"AGLT2": 3}}


def test_a_record_of_structlog_has_its_event_and_its_fields() -> None:
    said = {"event": "request_failed", "code": 500, "level": "error", "timestamp": "now"}

    line = line_of(record(said | {"request_id": "r-1", "_record": object()}))

    assert (line.event, line.facts, line.request_id) == ("request_failed", {"code": 500}, "r-1")


def test_the_request_that_is_bound_is_kept() -> None:
    structlog.contextvars.bind_contextvars(request_id="r-2")
    assert line_of(record("x")).request_id == "r-2"


def test_no_secret_is_kept() -> None:
    line = line_of(record("Authorization: Token abcdef0123456789abcdef", password="hush"))

    assert "abcdef" not in line.event
    assert line.facts == {"password": "[masked]"}


def test_what_the_database_cannot_take_is_changed() -> None:
    line = line_of(record("nul \x00 half \ud800", fact="\x00", deep={"a": "\x00"}, n=float("nan")))

    assert "\x00" not in str(line.event) + str(line.facts)
    line.event.encode()
    assert line.facts["n"] == "nan"


def test_long_texts_are_cut() -> None:
    line = line_of(record("x" * 9999, fact="y" * 9999, many=["z" * 10] * 9999))

    assert len(line.event) == LONGEST_EVENT
    assert [len(str(value)) for value in line.facts.values()] == [LONGEST_FACT] * 2


def test_a_traceback_is_kept_by_its_end() -> None:
    try:
        raise ValueError("no such moon")
    except ValueError as error:
        line = line_of(record("failed", exc_info=(ValueError, error, error.__traceback__)))

    assert line.facts["traceback"].endswith("ValueError: no such moon\n")
