"""What a test that commits has left behind is taken away again.

Django truncates every table, with a new file for each of them and of their indexes, and then makes
all permissions anew. Here only tables that have rows are emptied, and what was in a table when the
migrations had run is put back: the next test finds the database as the first one did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from psycopg2 import sql

from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import SUPERUSER

KEPT = "kept_for_tests"  # the schema with the first contents
LARGE = 1 << 20  # bytes of a table whose dead rows are not left lying about
# With partitions through their parents; which migrations have run stays true.
_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
  AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'django_migrations'
ORDER BY 1
"""
_COLUMNS = """
SELECT a.attname FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""
_LARGE = """
SELECT c.relname FROM pg_class c WHERE c.relname = ANY(%s) AND pg_relation_size(c.oid) > %s
  AND c.relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the tables of a database had when the migrations had run."""

    alias: str
    columns: Mapping[str, sql.Composable]  # of the tables that had something

    @classmethod
    def of(cls, alias: str) -> Contents:
        """Copies it beside the tables."""
        with _superuser(alias) as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {KEPT} CASCADE; CREATE SCHEMA {KEPT}")
            columns = {}
            for table in _filled(cursor):
                copy = "CREATE TABLE {} AS TABLE {}"
                cursor.execute(sql.SQL(copy).format(sql.Identifier(KEPT, table), _public(table)))
                cursor.execute(_COLUMNS, [f'public."{table}"'])
                names = [sql.Identifier(name) for (name,) in cursor.fetchall()]
                columns[table] = sql.SQL(", ").join(names)
        return cls(alias=alias, columns=columns)

    def restore(self) -> None:
        with _superuser(self.alias) as cursor:
            filled = _filled(cursor)
            # No trigger fires: neither ours, which refuse some deletions, nor those of foreign
            # keys, which have nothing to say: what points at a row goes with it.
            steps = [sql.SQL("SET session_replication_role = replica")]
            steps += [sql.SQL("DELETE FROM {}").format(_public(table)) for table in filled]
            put_back = sql.SQL("INSERT INTO {0} ({2}) OVERRIDING SYSTEM VALUE SELECT {2} FROM {1}")
            steps += [
                put_back.format(_public(table), sql.Identifier(KEPT, table), columns)
                for table, columns in self.columns.items()
            ]
            cursor.execute(sql.SQL("; ").join(steps))
            cursor.execute(_LARGE, [filled, LARGE])
            for (table,) in cursor.fetchall():
                cursor.execute(sql.SQL("VACUUM {}").format(_public(table)))
        ContentType.objects.clear_cache()


def _filled(cursor: Any) -> list[str]:
    """Tables that have rows."""
    cursor.execute(_TABLES)
    tables = [table for (table,) in cursor.fetchall()]
    question = sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})")
    questions = [question.format(sql.Literal(table), _public(table)) for table in tables]
    cursor.execute(sql.SQL(" UNION ALL ").join(questions))
    return [table for (table,) in cursor.fetchall()]


def _public(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)


@contextmanager
def _superuser(alias: str) -> Iterator[Any]:
    """A statement, or several with semicolons between them, is one transaction."""
    place = connections[alias].settings_dict
    connection = psycopg2.connect(
        host=place["HOST"],
        port=place["PORT"] or None,
        dbname=place["NAME"],
        user=SUPERUSER,
        password=Keys.of(settings.PANDASITE_HOME.secrets).superuser_password,
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
