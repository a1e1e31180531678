"""The controls' copy of the books: the same tables without keys, checks and triggers.

What a control does there is what a product without the guard would do; the tests' own checks look
at the copy and must find it wanting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from django.db import connection

from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings
from tests.faults.books import Books
from tests.faults.crews import at_once
from tests.faults.site import FaultSite

SCHEMA = "control"
TABLES = ("jobs_job", "jobs_jobevent")
_MAKE = f"""
DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.jobs_job (LIKE public.jobs_job INCLUDING DEFAULTS INCLUDING IDENTITY);
CREATE TABLE {SCHEMA}.jobs_jobevent
  (LIKE public.jobs_jobevent INCLUDING DEFAULTS INCLUDING IDENTITY);
"""
_FILL = f"""
INSERT INTO {SCHEMA}.jobs_job OVERRIDING SYSTEM VALUE
  SELECT * FROM public.jobs_job WHERE panda_id = ANY(%(jobs)s);
INSERT INTO {SCHEMA}.jobs_jobevent OVERRIDING SYSTEM VALUE
  SELECT * FROM public.jobs_jobevent WHERE job_id = ANY(%(jobs)s);
CREATE INDEX ON {SCHEMA}.jobs_job (panda_id);
CREATE INDEX ON {SCHEMA}.jobs_jobevent (job_id);
"""
_FREE_IDS = f"""
SELECT setval(pg_get_serial_sequence('{SCHEMA}.jobs_jobevent', 'id'),
  (SELECT max(id) FROM public.jobs_jobevent));
"""
# A change of state as it would be written by who does not look whether it is still true.
WRITE = """
UPDATE jobs_job SET state = %(to)s, event_seq = event_seq + 1 WHERE panda_id = %(job)s;
INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
  SELECT panda_id, event_seq, attempt_nr, %(was)s, %(to)s, 'control', clock_timestamp(), '{}'
  FROM jobs_job WHERE panda_id = %(job)s
"""


class Copy:
    """The copy of these jobs."""

    def __init__(self, site: FaultSite) -> None:
        self.site = site

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A cursor of a connection of its own, for one thread; each statement is a transaction."""
        entry = database_settings(self.site.home, Keys.of(self.site.home.secrets))
        client = psycopg2.connect(
            host=entry["HOST"],
            port=entry["PORT"],
            dbname=entry["NAME"],
            user=entry["USER"],
            password=entry["PASSWORD"],
            options=f"-c search_path={SCHEMA},public",
        )
        client.autocommit = True
        try:
            with client.cursor() as cursor:
                yield cursor
        finally:
            client.close()

    def race(self, deed: Callable[[Any], None], *, clients: int) -> None:
        """The deed by so many clients at once."""

        def work() -> None:
            with self.client() as cursor:
                deed(cursor)

        wrong = at_once([work] * clients)
        assert wrong == [], wrong

    @contextmanager
    def read(self) -> Iterator[None]:
        """Inside, Django's models are those of the copy."""
        with self.site.books():
            with connection.cursor() as cursor:
                cursor.execute(f"SET search_path = {SCHEMA}, public")
            yield

    def lapses(self, look: Callable[[], Iterator[str]]) -> list[str]:
        """What a check of the tests says of the copy."""
        with self.read():
            return list(look())


@contextmanager
def without_guards(books: Books, panda_ids: Sequence[int]) -> Iterator[Copy]:
    """A copy of these jobs and their events, for as long as the block lasts."""
    with books.sql() as cursor:
        cursor.execute(_MAKE)
        cursor.execute(_FILL, {"jobs": list(panda_ids)})
        cursor.execute(_FREE_IDS)
    try:
        yield Copy(books.site)
    finally:
        with books.sql() as cursor:
            cursor.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
