"""Vacuum comes early to what changes with each job; its settings are those of the tables."""

from __future__ import annotations

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db
# What claims, heartbeats, ends, folds and moves to the archive write again or take away.
CHANGING = {
    "jobs_job": 0.02,
    "jobs_jobevent": 0.02,
    "jobs_jobfile": 0.02,
    "jobs_joboutput": 0.02,
    "jobs_jobname": 0.02,
    "jobs_claimkey": 0.02,
    "jobs_keptlease": 0.02,
    "jobs_countdelta": 0.02,
    "jobs_answerdelta": 0.02,
    "jobs_enddelta": 0.02,
    "jobs_siteroom": 0.02,
    "jobs_taskpiece": 0.02,
    "jobs_taskinput": 0.02,
    "jobs_pulse": 0.05,
    "jobs_pilot": 0.05,
    "jobs_node": 0.05,
}


def options() -> dict[str, dict[str, str]]:
    """What is set at each table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL"
            " AND relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return {name: dict(one.split("=") for one in said) for name, said in cursor.fetchall()}


def test_what_changes_with_each_job_is_vacuumed_before_a_twentieth_of_it_is_dead() -> None:
    found = {
        table: float(said["autovacuum_vacuum_scale_factor"])
        for table, said in options().items()
        if "autovacuum_vacuum_scale_factor" in said and table.startswith("jobs_")
    }

    assert found | CHANGING == found


@pytest.mark.parametrize("table", ["jobs_pulse", "jobs_pilot", "jobs_node", "jobs_siteroom"])
def test_rows_that_are_written_all_the_time_have_room_on_their_page(table: str) -> None:
    assert int(options()[table]["fillfactor"]) <= 80


def test_a_room_that_every_claim_writes_stays_where_it_is() -> None:
    """HOT: no version of it has an index entry of its own."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs_siteroom (site_id, job_cap, room) VALUES (1, 100, 100)")
        before, hot_before = written()
        for _ in range(50):
            cursor.execute("UPDATE jobs_siteroom SET room = room - 1 WHERE site_id = 1")
        after, hot_after = written()

    assert (after - before, hot_after - hot_before) == (50, 50)


def written() -> tuple[int, int]:
    """Versions of rooms that this connection has made, and those of them that are HOT."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables"
            " WHERE relname = 'jobs_siteroom'"
        )
        all_of_them, hot = cursor.fetchone()
    return int(all_of_them), int(hot)
