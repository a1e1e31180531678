"""Names are read from an index in their order, on both sides of jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from monitor.search import names
from monitor.search.names import Slice
from tests.builders import create_job, put_away

pytestmark = pytest.mark.django_db

LIVE = [*names.JOBS[:1], *names.JOB_FILES[:1], *names.TASKS, *names.DATASETS, *names.FILES]


@pytest.mark.parametrize("source", [*LIVE, *names.NODES], ids=lambda source: source.table)
def test_an_index_gives_the_names_in_their_order(source: names.Source) -> None:
    wanted = Slice(low="mc09", high="mc09\U0010ffff", limit=9)

    assert_in_order(source.sql(wanted), vars(wanted))


@pytest.mark.parametrize("function", ["jobs_ended_named", "jobs_ended_files_named"])
def test_an_index_gives_the_names_of_ended_jobs_in_their_order(function: str) -> None:
    create_job("finished", outputs=["a"])
    put_away()
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [function])
        (body,) = cursor.fetchone()
    statement = body.partition("RETURN QUERY ")[2].partition(";")[0]
    for name, value in (("low", "'mc09'"), ("high", "'mc0:'"), ("behind", "-1"), ("most", "9")):
        statement = statement.replace(f"p_{name}", value)

    assert_in_order(statement, None)


def assert_in_order(statement: str, values: Any) -> None:
    """Ties alone may have to be sorted. Tables so small use an index only if nothing else may."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
        plan = json.dumps(cursor.fetchone()[0])
    assert '"Node Type": "Sort"' not in plan
    assert '"Seq Scan"' not in plan
    assert "~>=~" in plan
