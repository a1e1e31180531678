"""Nothing of ours is tied to a database session: behind a pooler each transaction may have another.

What the pooler does to such things is shown by tests/scale/test_pooler.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("brokerage", "datasets", "jobs", "monitor", "pandasite")
# The embedded server is made over a connection of its own, which no pooler sees.
NOT_POOLED = ROOT / "pandasite" / "embedded"
SQL = re.VERBOSE  # our SQL has its keywords in capitals, which tells them from English
# What must not be, by what to do instead.
FORBIDDEN = {
    "pg_advisory_xact_lock": re.compile(r"\bpg_(try_)?advisory_(lock|unlock)", SQL),
    "SET LOCAL": re.compile(
        r"""["';] \s* SET \s+ (?! LOCAL\b | TRANSACTION\b | CONSTRAINTS\b) (SESSION\s+)? [a-z_.]+
            | set_config\( [^()]* , \s* false \s* \)
            | \.set_session\(""",
        SQL,
    ),
    "a sweep that looks": re.compile(r"""["';] \s* (UN)? LISTEN \s+ \w+""", SQL),
    "a CTE": re.compile(r"\bCREATE \s+ (LOCAL\s+)? TEMP(ORARY)? \b", SQL),
    "pages by key": re.compile(
        r"\bWITH \s+ HOLD\b | \.iterator\( | \.cursor\(\s*(name=|[\"']) | \bchunked_cursor\b", SQL
    ),
    "a stored function": re.compile(r"""["';] \s* (PREPARE|DEALLOCATE) \s+ \w+""", SQL),
}


def sources() -> Iterator[tuple[Path, str]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*")):
            ours = path.suffix in (".py", ".sql") and NOT_POOLED not in path.parents
            if ours and "node_modules" not in path.parts:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("instead", FORBIDDEN)
def test_nothing_is_tied_to_a_session(instead: str) -> None:
    found = [
        f"{path}:{text[: match.start()].count(chr(10)) + 1}: {match[0].strip()}"
        for path, text in sources()
        for match in FORBIDDEN[instead].finditer(text)
    ]

    assert found == [], f"use {instead}"


@pytest.mark.parametrize(
    ("instead", "text"),
    [
        ("pg_advisory_xact_lock", "SELECT pg_try_advisory_lock(1)"),
        ("SET LOCAL", 'cursor.execute("SET lock_timeout = 1")'),
        ("SET LOCAL", '"""\nSET SESSION work_mem TO 1"""'),
        ("SET LOCAL", "SELECT set_config('work_mem', '1', false)"),
        ("a sweep that looks", "cursor.execute('LISTEN jobs')"),
        ("a CTE", "CREATE TEMP TABLE t AS SELECT 1"),
        ("pages by key", "for job in jobs.iterator(2000):"),
        ("pages by key", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"),
        ("a stored function", '"PREPARE claim AS SELECT 1"'),
    ],
)
def test_the_look_for_it_finds_it(instead: str, text: str) -> None:
    """The control."""
    assert FORBIDDEN[instead].search(text)


@pytest.mark.parametrize(
    "text",
    [
        'cursor.execute("SET LOCAL lock_timeout = 1")',
        '"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"',
        "SELECT pg_advisory_xact_lock(1)",
        "LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$",
        "ON CONFLICT (id) DO UPDATE\n  SET n = excluded.n",
        "SELECT set_config('work_mem', '1', true)",
        "with connection.cursor() as cursor:",
    ],
)
def test_what_ends_with_its_transaction_is_left_alone(text: str) -> None:
    assert not [instead for instead, look in FORBIDDEN.items() if look.search(text)]
