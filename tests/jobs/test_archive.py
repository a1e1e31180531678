"""Jobs that ended a while ago lie apart: whole, once, and counted as before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import InternalError, OperationalError, connection, transaction

from jobs import archive, counts, errors, fsck, services
from jobs.models import AnyJob, CountDelta, Job, JobEvent, JobFile, JobOutput
from jobs.states import FINAL, JobState
from pandasite.base.sqlfile import sql_file
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_site,
    create_storage,
    put_away,
)
from tests.jobs.shelves import ENDED_TABLES, archived, forget_archive, plan, sides, whole
from tests.jobs.test_claim_keys import in_thread, wait_until_somebody_waits

pytestmark = pytest.mark.django_db


def ended_job(state: str = "finished", **columns: Any) -> Job:
    """One with everything that may belong to a job."""
    job = create_job(state, inputs=[create_file()], outputs=["HIST.1", "HIST.2"], **columns)
    made = create_file(at=[create_storage()])
    JobFile.objects.filter(job=job, type="output").update(file=made)
    JobOutput.objects.create(job=job, attempt_nr=1, tail="done", at=NOW)
    return job


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = ANY (%s::regclass[])",
            [list(ENDED_TABLES)],
        )
        return {name for (name,) in cursor.fetchall()}


# -- what moves --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", FINAL)
def test_a_job_that_ended_a_day_ago_moves_with_all_that_belongs_to_it(state: JobState) -> None:
    job = ended_job(state)
    before = whole(job.pk)

    assert archive.run(after(hours=25)) == 1

    assert whole(job.pk) == before
    assert sides(job.pk) == {True}
    for model in (Job, JobFile, JobEvent, JobOutput):
        assert not model._default_manager.exists()


def test_a_job_that_ended_of_late_stays() -> None:
    create_job("finished")

    assert archive.run(after(hours=24)) == 0
    assert archived() == []


@pytest.mark.parametrize("state", [state for state in JobState if state not in FINAL])
def test_a_job_that_has_not_ended_stays_however_old_it_is(state: JobState) -> None:
    create_job(state)

    assert archive.run(after(days=1000)) == 0


def test_with_no_hours_to_wait_a_job_moves_with_the_next_sweep(settings: Any) -> None:
    settings.PANDASITE = settings.PANDASITE | {"ARCHIVE_HOURS": 0}
    job = create_job("failed")

    assert archive.run(after(seconds=1)) == 1
    assert archived() == [job.pk]


def test_a_round_moves_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.move, "__kwdefaults__", {"most": 2})
    jobs = [create_job(state) for state in ("finished",) * 5 + ("cancelled",) * 3]

    assert archive.run(after(days=2)) == 8
    assert archived() == [job.pk for job in jobs]


def test_a_second_round_finds_nothing_to_do() -> None:
    create_job("finished")
    archive.run(after(days=2))

    assert archive.run(after(days=2)) == 0
    assert fsck.check() == []


@pytest.mark.parametrize("ago", [{"weeks": 3}, {"days": 4000}])
def test_a_job_of_any_age_finds_its_week(ago: dict[str, float]) -> None:
    job = create_job("finished", at=NOW - dt.timedelta(**ago))

    assert archive.run(NOW) == 1
    assert archived() == [job.pk]


def test_the_next_weeks_are_made_before_they_begin() -> None:
    archive.make_weeks(NOW)  # a Thursday
    made = partitions()
    archive.make_weeks(NOW)

    assert made == partitions()
    assert {name for name in made if name.startswith("jobs_endedjob_")} == {
        "jobs_endedjob_20090914",
        "jobs_endedjob_20090921",
        "jobs_endedjob_20090928",
    }
    assert len(made) == 12


# -- the counts --------------------------------------------------------------------------------


def test_a_move_changes_no_count() -> None:
    site = create_site()
    for state in (*FINAL, "running"):
        create_job(state, site=site)
    counts.fold()
    before = counts.read(ended_since=NOW)

    put_away()

    assert counts.read(ended_since=NOW) == before
    assert not CountDelta.objects.exists()
    assert counts.differences() == fsck.check() == []


def test_a_deletion_behind_a_move_is_counted() -> None:
    create_job("finished")
    put_away()
    create_job("running").delete()

    assert counts.differences() == []


# -- at the same time, and cut short -----------------------------------------------------------


def test_a_move_that_is_rolled_back_leaves_everything_where_it_was() -> None:
    job = ended_job()
    before = whole(job.pk)

    with transaction.atomic():
        put_away()
        transaction.set_rollback(True)

    assert sides(job.pk) == {False}
    assert whole(job.pk) == before


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    @pytest.fixture(autouse=True)
    def emptied(self, transactional_db: None) -> Iterator[None]:
        yield
        forget_archive()

    def test_two_movers_take_each_job_once(self) -> None:
        jobs = [ended_job() for _ in range(5)]
        archive.make_weeks(NOW)

        with transaction.atomic():
            assert archive.move(JobState.FINISHED, before=after(days=2), most=2) == 2
            thread, result = in_thread(lambda: archive.run(after(days=2)))
            thread.join(30)

        assert result["value"] == 3
        assert archived() == [job.pk for job in jobs]
        assert {one for job in jobs for one in sides(job.pk)} == {True}
        assert fsck.check() == []

    def test_two_movers_make_a_week_once(self) -> None:
        jobs = [create_job("finished", at=after(days=7 * week)) for week in (60, 60)]

        with transaction.atomic():
            archive.move(JobState.FINISHED, before=after(days=999), most=1)
            thread, result = in_thread(lambda: archive.run(after(days=999)))
            wait_until_somebody_waits()
        thread.join(30)

        assert result["value"] == 1
        assert archived() == [job.pk for job in jobs]

    def test_a_job_that_somebody_holds_is_left_for_the_next_time(self) -> None:
        held, free = create_job("finished"), create_job("finished")

        with transaction.atomic():
            Job.objects.select_for_update().get(pk=held.pk)
            thread, result = in_thread(lambda: archive.run(after(days=2)))
            thread.join(30)

        assert result["value"] == 1
        assert archived() == [free.pk]
        assert archive.run(after(days=2)) == 1

    def test_a_mover_that_dies_half_way_has_moved_nothing(self) -> None:
        job = ended_job()
        before = whole(job.pk)
        archive.make_weeks(NOW)

        def dies() -> str:
            with pytest.raises(OperationalError):
                archive.run(after(days=2))
            return "died"

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE jobs_endedjoboutput")  # all but this is done by then
            thread, result = in_thread(dies)
            wait_until_somebody_waits()
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            thread.join(30)

        assert result["value"] == "died"
        assert (sides(job.pk), whole(job.pk)) == ({False}, before)
        assert fsck.check() == []


# -- both sides --------------------------------------------------------------------------------


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
    [("job", "job_name"), ("jobfile", "lfn"), ("jobevent", "actor"), ("joboutput", "tail")],
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
