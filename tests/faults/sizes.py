"""How large a test is: quick ones are part of CI, full ones have the numbers of the rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

QUICK_SECONDS = 300  # a limit for a test with its fixtures on a busy machine
LONG_SECONDS = 1800

QUICK = (pytest.mark.faults, pytest.mark.timeout(QUICK_SECONDS))
LONG = (pytest.mark.long, pytest.mark.timeout(LONG_SECONDS))
_Test = TypeVar("_Test", bound=Callable[..., object])


def quick(test: _Test) -> _Test:
    """Part of `make test-faults`."""
    return _marked(test, QUICK)


def long(test: _Test) -> _Test:
    """Part of `make test-long`."""
    return _marked(test, LONG)


def _marked(test: _Test, marks: tuple[pytest.MarkDecorator, ...]) -> _Test:
    for mark in marks:
        test = mark(test)
    return test


def sized(name: str, *, quick_size: int, full_size: int) -> pytest.MarkDecorator:
    """The test gets `name` as an argument, twice: a fraction for CI, all of it for test-long."""
    return pytest.mark.parametrize(
        name,
        [
            pytest.param(quick_size, marks=QUICK, id="quick"),
            pytest.param(full_size, marks=LONG, id="full"),
        ],
    )
