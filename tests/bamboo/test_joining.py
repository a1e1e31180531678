"""An existing production database is joined by the SQL of docs/proddb.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from jobs.models import Job
from tests.bamboo.production import a_cloud, turn
from tests.builders import create_vo

DOCUMENT = Path(__file__).parents[2] / "docs" / "proddb.md"
pytestmark = pytest.mark.django_db(databases=["default", "proddb"])
OURS = "proddb_taskrequest, proddb_jobdefinition, proddb_statechange"


def sql_of_the_document() -> str:
    text = DOCUMENT.read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    return str(block)


@pytest.fixture
def theirs(db: None) -> Iterator[Any]:
    """A cursor of a prodDB that had tables of its own before; undone with the test."""
    with connections["proddb"].cursor() as cursor:
        cursor.execute(f"DROP TABLE {OURS}")
        cursor.execute(sql_of_the_document())
        yield cursor


def asked(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return list(cursor.fetchall())


def test_tasks_and_jobs_of_an_existing_database_are_done_and_answered_there(theirs: Any) -> None:
    # given
    a_cloud("US")
    create_vo()
    theirs.execute(
        "INSERT INTO t_task (taskname, username) VALUES ('mc09.old', 'carol'), ('mc09.bad', 'a b');"
        "INSERT INTO t_job (taskid, jobname, trf, memory, nevents) VALUES"
        " (1, 'one', 'evgen.py', 1500, 10), (1, 'two', 'evgen.py', 0, -1)"
    )

    # when
    turn()
    turn()

    # then
    job = Job.objects.get()
    assert (job.job_name, job.min_ram_count, job.cloud.name) == ("one", 1500, "US")
    assert asked(theirs, "SELECT status, grid, n_jobs FROM t_task ORDER BY 1") == [
        ("accepted", "US", 1),
        ("refused", "", 0),
    ]
    assert asked(theirs, "SELECT status, pandaid, panda_status FROM t_job ORDER BY jobid") == [
        ("accepted", job.pk, "defined"),
        ("refused", None, ""),
    ]
    assert asked(theirs, "SELECT count(*) FROM proddb_statechange WHERE kind = 'job'") == [(2,)]


def test_what_they_abort_is_aborted(theirs: Any) -> None:
    # given
    a_cloud("US")
    create_vo()
    theirs.execute(
        "INSERT INTO t_task (taskname, username) VALUES ('mc09.old', 'carol');"
        "INSERT INTO t_job (taskid, jobname, trf) VALUES (1, 'one', 'evgen.py')"
    )
    turn()

    # when
    theirs.execute("UPDATE t_task SET status = 'tobeaborted'")
    turn()

    # then
    assert asked(theirs, "SELECT status FROM t_task") == [("aborted",)]
    assert asked(theirs, "SELECT status FROM t_job") == [("aborted",)]
    assert Job.objects.get().state == "cancelled"
