"""A PandaID without a constraint names a job that is there, or one of a dropped week."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from jobs import fsck, references, retention
from jobs.models import JobName
from jobs.retention import DROPPED
from pandasite.base.models import AuditLine
from tests.builders import NOW, create_job

pytestmark = pytest.mark.django_db
NOBODY = 4711
# A row of each table that names that job; what else must be there is made by nobody.
ROWS = {
    "jobs_taskpiece": "INSERT INTO jobs_taskpiece (task_id, stage, serial, scout, state,"
    " first_event, n_events, n_files, input_bytes, panda_id, tries)"
    " VALUES (1, 'work', 1, false, 'failed', 1, 0, 0, 0, %s, 1)",
    "jobs_bamboojob": "INSERT INTO jobs_bamboojob (definition_id, request_id, panda_id, state,"
    " seq, settled) VALUES (1, 1, %s, '', 0, false)",
    "jobs_move": "INSERT INTO jobs_move (panda_id, transfer_id, source_id, destination_id, type,"
    " created_at, outcome) VALUES (%s, 1, 1, 1, 'dis', now(), '')",
    "jobs_claimkey": "INSERT INTO jobs_claimkey (account_id, key, body_sha256, salt, panda_ids,"
    " attempts, created_at) VALUES (1, 'k', '', '', ARRAY[%s], '{1}', now())",
    "jobs_submitkey": "INSERT INTO jobs_submitkey (owner_id, key, body_sha256, panda_ids,"
    " created_at) VALUES (1, 'k', '', jsonb_build_array(%s), now())",
    "jobs_keptlease": "INSERT INTO jobs_keptlease (panda_id, attempt_nr, account_id, salt,"
    " pilot_id, node, created_at) VALUES (%s, 1, 1, '', '', '', now())",
    "jobs_debugmode": 'INSERT INTO jobs_debugmode (panda_id, "on", set_by, set_at)'
    " VALUES (%s, true, 'alice', now())",
    "jobs_prioritylift": "INSERT INTO jobs_prioritylift (job_id, own, given, by_hand, at)"
    " VALUES (%s, 1, 2, false, now())",
    "jobs_sample": "INSERT INTO jobs_sample (job_id, attempt_nr, at) VALUES (%s, 1, now())",
}


def plant(sql: str, panda_id: int) -> None:
    """Write a row without its neighbours, which nobody asks for before the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [panda_id])


def test_every_column_that_names_jobs_is_looked_at() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition AND a.attname IN"
            " ('panda_id', 'panda_ids', 'job_id', 'job_ids', 'retry_of')"
        )
        there = {name for (name,) in cursor.fetchall()}

    # what belongs to a job lies where the job lies, and has checks of its own
    own = {f"jobs_{side}{what}" for side in ("", "ended") for what in ("jobfile", "jobevent")}
    own |= {"jobs_joboutput", "jobs_endedjoboutput", "jobs_pulse", "jobs_jobname"}
    assert there - own - {"jobs_job", "jobs_endedjob"} == {*ROWS}
    assert {one.table for one in references.REFERENCES} == {*ROWS, "jobs_anyjob"}


@pytest.mark.parametrize("table", ROWS)
def test_a_row_that_names_no_job_is_found(table: str) -> None:
    job = create_job("running")
    plant(ROWS[table], job.pk)
    assert references.differences() == []
    plant(f"DELETE FROM {table} WHERE %s > 0", 1)

    plant(ROWS[table], NOBODY)

    [line] = references.differences()
    assert line.endswith(f"names job {NOBODY}, which does not exist")
    plant(f"DELETE FROM {table} WHERE %s > 0", 1)


def test_a_successor_of_no_job_is_found() -> None:
    job = create_job("failed", retry_of=NOBODY)

    assert f"the successor {job.pk} names job {NOBODY}, which does not exist" in fsck.check()


@pytest.mark.parametrize("what", ["gone", "another", "of no job"])
def test_a_name_for_quick_search_that_is_not_the_jobs_is_found(what: str) -> None:
    job = create_job("running")
    named = JobName.objects.filter(job_id=job.pk)
    if what == "gone":
        named.delete()
    elif what == "another":
        named.update(name="another")
    else:
        JobName.objects.create(job_id=NOBODY, name="x")

    assert len(fsck.check()) == 1


def test_a_job_of_a_week_that_was_dropped_is_not_missed_and_a_later_one_is() -> None:
    # given a drop, a job from before it, and one that was born since
    drop_at = NOW + dt.timedelta(hours=1)
    AuditLine.objects.create(at=drop_at, actor_name=retention.ACTOR, action=DROPPED, subject="w")
    early = create_job("failed", retry_of=1)
    assert fsck.check() == []

    # when somebody names a job that was born behind that one, too, and is not there
    late = create_job("failed", at=drop_at + dt.timedelta(hours=1), retry_of=2)
    assert fsck.check() == []
    early.retry_of = late.pk + 1_000_000
    early.save()

    # then that one is missed
    assert fsck.check() == [
        f"the successor {early.pk} names job {early.retry_of}, which does not exist"
    ]
