"""What there is to say of the jobs of a task, live and ended: jobs/sql/of_task.sql."""

from __future__ import annotations

from typing import Any

from django.db import connection


def states(task_id: int) -> dict[str, int]:
    """How many of its jobs are in which state, at this moment."""
    return dict(_rows("SELECT state, n FROM jobs_of_task_states(%s)", task_id))


def errors(task_id: int, *, most: int) -> dict[tuple[str, int], int]:
    """How many of its latest failed jobs, up to `most`, have which error: component and code."""
    rows = _rows("SELECT component, code, n FROM jobs_of_task_errors(%s, %s)", task_id, most)
    return {(component, code): n for component, code, n in rows}


def datasets(task_id: int, *, most: int, shown: int) -> list[dict[str, Any]]:
    """Datasets of the files that its latest jobs, up to `most`, read and make; by name."""
    names = ("name", "state", "type", "files")
    sql = """
    SELECT d.name, d.state, f.type, f.files
    FROM jobs_of_task_datasets(%s, %s) f JOIN datasets_dataset d ON d.id = f.dataset_id
    ORDER BY d.name, f.type LIMIT %s
    """
    return [dict(zip(names, row, strict=True)) for row in _rows(sql, task_id, most, shown)]


def _rows(sql: str, *values: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
