"""Jobs that ended a while ago lie apart: whole, once, and counted as before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from jobs import archive, counts, fsck
from jobs.models import CountDelta, Job, JobEvent, JobFile, JobOutput
from jobs.states import FINAL, JobState
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_site,
    create_storage,
    put_away,
)
from tests.jobs.shelves import ENDED_TABLES, archived, forget_archive, sides, whole
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
            thread.join(60)

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
        thread.join(60)

        assert result["value"] == 1
        assert archived() == [job.pk for job in jobs]

    def test_a_job_that_somebody_holds_is_left_for_the_next_time(self) -> None:
        held, free = create_job("finished"), create_job("finished")

        with transaction.atomic():
            Job.objects.select_for_update().get(pk=held.pk)
            thread, result = in_thread(lambda: archive.run(after(days=2)))
            thread.join(60)

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
            thread.join(60)

        assert result["value"] == "died"
        assert (sides(job.pk), whole(job.pk)) == ({False}, before)
        assert fsck.check() == []
