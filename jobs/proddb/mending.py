"""What people do to rows of prodDB by hand: mend a refused one, wish for it again, have it ended.

Each is one conditional update: Bamboo may have been there in between. Where views stand for our
tables, what production's own database does not take is refused, and mended there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.proddb.session import translated, work
from jobs.proddb.states import FINAL, ProdState
from pandasite.base.errors import Conflict

Row = TaskRequest | JobDefinition
# What Bamboo writes; all else is production's.
ANSWERS = {
    TaskRequest: (
        "state", "reason", "task_id", "given_cloud", "jobs_total", "jobs_finished", "jobs_failed",
        "files_done", "written_at",
    ),
    JobDefinition: ("state", "reason", "panda_id", "panda_state", "written_at"),
}  # fmt: skip
KEYS = {TaskRequest: ("request_id", "created_at"), JobDefinition: ("definition_id", "request_id")}


def mend(row: Row, changes: Mapping[str, Any]) -> None:
    """Change what production wrote of a refused row, and wish for it again.

    Conflict when it is not refused any more, or prodDB does not take the change.
    """
    same = type(row)._default_manager.filter(pk=row.pk)
    with work():
        mended = same.filter(state=ProdState.REFUSED).update(
            **changes, state=ProdState.TOBEDONE, reason=""
        )
        if not mended:
            raise Conflict(f"{row} is {_state(row)}: only a refused row is mended")
        kept = same.values(*changes).get() if changes else {}
        if wrong := [name for name in changes if kept[name] != changes[name]]:
            raise Conflict(
                f"the production database keeps {', '.join(wrong)} as it was: mend it there"
            )


def wish_again(row: Row) -> None:
    """A refused row is to be taken once more, as it is; Conflict when it is not refused."""
    mend(row, {})


def wish_end(row: Row) -> None:
    """TOBEABORTED; Conflict when it has ended."""
    with translated():
        open_ones = type(row)._default_manager.filter(pk=row.pk).exclude(state__in=FINAL)
        if not open_ones.update(state=ProdState.TOBEABORTED):
            raise Conflict(f"{row} is {_state(row)}: it has ended")


def _state(row: Row) -> str:
    found = type(row)._default_manager.filter(pk=row.pk).values_list("state", flat=True).first()
    return found or "not there any more"
