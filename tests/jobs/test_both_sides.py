"""Live tables and archive: the same columns, one view over both, and neither read for the other."""

from __future__ import annotations

import pytest
from django.db import InternalError, connection, transaction

from jobs import archive, errors, fsck, services
from jobs.models import AnyJob, Job
from jobs.states import FINAL, JobState
from pandasite.base.sqlfile import sql_file
from tests.builders import NOW, after, create_job, put_away
from tests.jobs.shelves import archived, plan

pytestmark = pytest.mark.django_db


def columns(table: str, *, without: str = "") -> list[tuple[str, str, int | None]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type, character_maximum_length"
            " FROM information_schema.columns WHERE table_name = %s AND column_name <> %s"
            " ORDER BY column_name",
            [table, without],
        )
        return [tuple(row) for row in cursor.fetchall()]


NAMES = ("job", "jobfile", "jobevent", "joboutput")


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_have_the_same_columns(name: str) -> None:
    live = columns(f"jobs_{name}")

    assert columns(f"jobs_ended{name}", without="job_end") == live
    assert columns(f"jobs_any{name}", without="shelf") == live


@pytest.mark.parametrize(
    ("name", "text"),
    [("job", "homepackage"), ("jobfile", "lfn"), ("jobevent", "actor"), ("joboutput", "tail")],
)
def test_the_archive_follows_a_change_of_the_live_tables(name: str, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE jobs_{name} ADD COLUMN colour varchar(7) NOT NULL DEFAULT ''")
        cursor.execute(f"DROP VIEW jobs_any{name}")
        cursor.execute(f"ALTER TABLE jobs_{name} ALTER COLUMN {text} TYPE varchar(600)")
        cursor.execute("SELECT jobs_ended_follow()")

    test_both_sides_have_the_same_columns(name)
    assert ("colour", "character varying", 7) in columns(f"jobs_any{name}")


def test_a_question_for_live_jobs_leaves_the_archive_alone() -> None:
    archive.make_weeks(NOW)
    live = [state for state in JobState if state not in FINAL]

    assert "endedjob" in plan(AnyJob.objects.filter(state="failed"))
    for question in (
        AnyJob.objects.filter(state="running"),
        AnyJob.objects.filter(state__in=live),
        AnyJob.objects.exclude(state__in=FINAL),
    ):
        assert "endedjob" not in plan(question)


def test_a_question_for_some_hours_leaves_the_other_weeks_alone() -> None:
    archive.make_weeks(NOW)

    lately = plan(AnyJob.objects.filter(end_time__gte=after(days=7), end_time__lt=after(days=8)))

    assert "jobs_endedjob_20090921" in lately
    assert "jobs_endedjob_20090914" not in lately
    assert "jobs_endedjob_20090928" not in lately


def test_what_belongs_to_a_job_is_looked_for_where_the_job_lies() -> None:
    ended, live = create_job("finished"), create_job("running")
    put_away()
    archive.make_weeks(NOW)

    of_ended, of_live = (AnyJob.objects.get(pk=job.pk).events for job in (ended, live))

    assert (of_ended.count(), of_live.count()) == (1, 1)
    assert "jobs_endedjobevent_20090914" in plan(of_ended)
    assert "jobs_endedjobevent_20090921" not in plan(of_ended)
    assert "endedjob" not in plan(of_live)


def test_an_archive_that_holds_jobs_cannot_be_taken_away() -> None:
    create_job("finished")
    put_away()

    with (
        pytest.raises(InternalError, match="the archive holds jobs"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql_file("jobs", "ended_undo"))

    assert len(archived()) == 1


def test_a_successor_outlives_the_job_that_it_follows() -> None:
    job = create_job("running", attempt_nr=1)
    services.fail(Job.objects.all(), errors.LOST_HEARTBEAT, actor="x", now=NOW)
    put_away()

    assert archived() == [job.pk]
    assert Job.objects.get().retry_of == job.pk
    assert fsck.check() == []
