"""What pilots ask all the time looks at rows by their keys, however small the tables are today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from brokerage.models import Site
from jobs import dispatch, lease, many_claims, report
from jobs.identity import Caller
from jobs.models import PilotAccount
from tests.builders import create_job
from tests.jobs.asking import ABLE, claim, word

pytestmark = pytest.mark.django_db


@contextmanager
def no_table_read_whole() -> Iterator[None]:
    """Fails when a statement within has gone through a table from its beginning to its end."""
    before = whole_reads()
    yield
    assert {table for table, n in whole_reads().items() if n > before.get(table, 0)} == set()


def whole_reads() -> dict[str, int]:
    """How often this transaction has read each table as a whole."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, seq_scan FROM pg_stat_xact_user_tables")
        return {table: n for table, n in cursor.fetchall() if n}


def with_token(pilots: PilotAccount) -> Caller:
    """A caller whose token is asked for; it is good for nothing."""
    return Caller.of(pilots, token="0" * 128)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_claim_reads_no_table_as_a_whole(site: Site, pilots: PilotAccount, n_jobs: int) -> None:
    Site.objects.update(job_cap=100)
    for nr in range(5):
        create_job("activated", site=site, outputs=[f"HIST.{nr}"])

    with no_table_read_whole():
        claimed = dispatch.claim(
            caller=Caller.of(pilots),
            facts=dispatch.Facts(**ABLE),
            key="k",
            body_sha256="b",
            n_jobs=n_jobs,
        )

    assert len(claimed.jobs) == n_jobs


def test_neither_do_some_together(site: Site, pilots: PilotAccount) -> None:
    Site.objects.update(job_cap=100)
    for nr in range(5):
        create_job("activated", site=site, outputs=[f"HIST.{nr}"])
    asked = [
        dispatch.question(
            caller=Caller.of(pilots),
            facts=dispatch.Facts(**ABLE | {"pilot_id": f"pilot{nr}"}),
            key=f"k{nr}",
            body_sha256="b",
            n_jobs=1,
            salt=None,
        )
        for nr in range(3)
    ]

    with no_table_read_whole():
        answers = many_claims.answers(connection, asked)

    assert [len(answer["jobs"]) for answer in answers] == [1, 1, 1]


def test_neither_do_those_that_get_none(site: Site, pilots: PilotAccount) -> None:
    create_job("activated", site=site, min_ram_count=10**6)
    claim(pilots)  # from now on the pilot is known

    with no_table_read_whole():
        claimed = claim(pilots)

    assert claimed.reason == "no_job"


def test_neither_does_a_heartbeat(site: Site, pilots: PilotAccount) -> None:
    jobs = [create_job("running", site=site) for _ in range(3)]

    with no_table_read_whole():
        one = report.hear(caller=Caller.of(pilots), report=word(jobs[0]))
        more = report.hear_all(caller=Caller.of(pilots), reports=[word(job, seq=9) for job in jobs])

    assert [one.state, *(answer.state for answer in more)] == ["running"] * 4  # type: ignore[union-attr]


def test_neither_does_the_look_at_a_token(site: Site, pilots: PilotAccount) -> None:
    job = create_job("running", site=site)
    values = [job.pk, 1, lease.fingerprint("x"), 1, "running", None, None, None, False, 60, None]

    with no_table_read_whole(), connection.cursor() as cursor:
        caller = with_token(pilots)
        cursor.execute(
            f"SELECT state FROM jobs_beat(%s, %s, %s{', %s' * len(values)}::timestamptz)",
            [caller.token, caller.account_id, caller.site_id, *values],
        )
        (state,) = cursor.fetchone()

    assert state == "token_gone"
