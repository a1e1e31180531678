"""A cycle of Bamboo that is killed -9 by itself at one point, or one without its guard.

`python -m tests.faults.dying POINT [unguarded]`: POINT is a key of POINTS. Without its guard it
keeps no note of which definitions have a job, as a product would that trusts prodDB alone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

# Step: where in it, as the function before whose work it ends.
POINTS = {
    "take": "jobs.proddb.door.refuse_tasks",  # tasks are kept, prodDB does not know
    "assign": "jobs.bamboo.assign._keep",  # in the middle of the transaction
    "submit-inside": "jobs.bamboo.submit._note",  # jobs are written, not committed
    "submit": "jobs.bamboo.submit._refuse",  # a page of jobs is there, prodDB does not know
    "write": "jobs.bamboo.write._confirm",  # prodDB knows, we have not noted it
    "write-tasks": "jobs.bamboo.sums.confirm",  # the same of tasks
    "kill": "jobs.bamboo.write.write_these",  # jobs are cancelled, prodDB does not know
}


def main(point: str, guard: str = "guarded") -> None:
    django.setup()
    from jobs.bamboo.cycle import cycle  # its models want Django set up

    if guard == "unguarded":
        _forget_notes()
    _put(POINTS[point], _die)
    cycle()


def _die(*_args: Any, **_more: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _put(name: str, function: Callable[..., Any]) -> None:
    """In the place of another."""
    module, _, attribute = name.rpartition(".")
    __import__(module)
    assert hasattr(sys.modules[module], attribute)
    setattr(sys.modules[module], attribute, function)


def _forget_notes() -> None:
    from jobs.models import BambooJob

    BambooJob.objects.bulk_create = lambda rows, **_: [*rows]  # type: ignore[method-assign]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
    main(*sys.argv[1:])
