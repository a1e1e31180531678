"""A program of the product on a machine whose clock is wrong, or seems to be.

`python -m tests.faults.wrong_clock HOURS [believed] MODULE WORD...` runs the module as `python -m`
does, while all of Python reads a clock that is so many hours ahead. `believed`: the product takes
that for the time, as it would if it did not ask the database.
"""

from __future__ import annotations

import datetime as dt
import runpy
import sys
import time
from typing import Any

BELIEVED = "believed"
_real, _real_time = dt.datetime, time.time


class _Likeness(type):
    """Times that others made are times as well."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _real)


def put_forward(hours: float) -> None:
    """From now on, and for whatever is imported later."""
    by = dt.timedelta(hours=hours)

    class Wrong(_real, metaclass=_Likeness):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return _real.now(tz) + by

        @classmethod
        def utcnow(cls) -> dt.datetime:
            return _real.now(dt.UTC).replace(tzinfo=None) + by

    dt.datetime = Wrong  # type: ignore[misc]
    time.time = lambda: _real_time() + by.total_seconds()


def believe() -> None:
    """The product asks the machine for the time, and not the database."""
    from pandasite.base import clock  # before anybody takes its function by name

    clock.database_now = lambda: dt.datetime.now(dt.UTC)


def main() -> None:
    hours, *words = sys.argv[1:]
    put_forward(float(hours))
    if words[0] == BELIEVED:
        believe()
        words = words[1:]
    sys.argv[:] = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
