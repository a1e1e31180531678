"""The functions of the database are those of jobs/sql, whatever the first migrations made."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

pytestmark = pytest.mark.django_db
FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\s*\(.*?\bAS (\$\w*\$)(.*?)\2", re.DOTALL
)
FILES = sorted(
    path for path in Path(settings.BASE_DIR, "jobs", "sql").glob("*.sql") if "undo" not in path.name
)
FUNCTIONS = [
    pytest.param(name, body, id=f"{path.name}-{name}")
    for path in FILES
    for name, _quote, body in FUNCTION.findall(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("name", "body"), FUNCTIONS)
def test_a_function_is_as_its_file_has_it(name, body):
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [name])
        assert cursor.fetchall() == [(body,)]


def test_the_functions_that_count_and_claim_are_among_them():
    names = {param.values[0] for param in FUNCTIONS}

    assert {"jobs_job_count", "jobs_claims", "jobs_fits", "jobs_token_holds"} <= names


def test_each_update_of_a_job_reads_only_short_conditions_of_triggers():
    """PostgreSQL parses them anew in each statement that may fire them (jobs/sql/count.sql)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, length(tgqual::text) FROM pg_trigger WHERE tgqual IS NOT NULL"
            " AND tgrelid = 'jobs_job'::regclass AND tgtype::int & 16 > 0"
        )
        lengths = dict(cursor.fetchall())

    assert "jobs_job_end_changed" in lengths
    assert {name: n for name, n in lengths.items() if n > 1500} == {}
