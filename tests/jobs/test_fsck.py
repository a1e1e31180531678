"""The book check finds each kind of difference; every one is planted here."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs import fsck, services
from jobs.models import CountDelta, Job, JobEvent, JobOutput
from tests.builders import (
    NOW,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    local_storage,
    put_away,
)

pytestmark = pytest.mark.django_db


def behind_the_guard(sql, *values):
    """Change rows as no service and no trigger would let happen."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing may be pending
        cursor.execute("ALTER TABLE jobs_job DISABLE TRIGGER USER")
        cursor.execute(sql, values)
        cursor.execute("ALTER TABLE jobs_job ENABLE TRIGGER USER")


def found():
    return "\n".join(fsck.check())


def test_sound_books_have_no_differences():
    site = create_site()
    for state in ("defined", "running", "failed"):
        create_job(state, site=site)
    job = create_job("waiting")
    services.wake([job.pk], now=NOW)

    assert fsck.check() == []


def test_a_state_without_its_event_is_found():
    job = create_job("defined")
    behind_the_guard("UPDATE jobs_job SET state = 'waiting' WHERE panda_id = %s", job.pk)

    assert f"job {job.pk} is waiting (event 1), its last event says defined (event 1)" in found()


def test_a_job_without_any_event_is_found():
    job = create_job("defined")
    job.events.all().delete()

    assert f"job {job.pk} is defined (event 1), its last event says nothing (event 0)" in found()


def test_a_number_that_was_left_out_is_found():
    job = create_job("waiting")
    services.wake([job.pk], now=NOW)
    job.events.filter(seq=1).delete()

    assert f"job {job.pk}: event 2 starts from waiting, the one before it ended in " in found()


def test_events_that_do_not_follow_each_other_are_found():
    job = create_job("waiting")
    services.wake([job.pk], now=NOW)
    job.events.filter(seq=1).update(to_state="assigned")

    assert (
        f"job {job.pk}: event 2 starts from waiting, the one before it ended in assigned" in found()
    )


def test_an_event_that_the_table_does_not_have_is_found():
    job = create_job("finished")
    job.events.update(seq=2, from_state="waiting")
    JobEvent.objects.create(job=job, seq=1, attempt_nr=0, to_state="waiting", actor="x", at=NOW)
    Job.objects.filter(pk=job.pk).update(event_seq=2)

    assert fsck.check() == [f"job {job.pk}: event 2 went from waiting to finished"]


def test_two_ends_are_found():
    job = create_job("failed")
    JobEvent.objects.create(
        job=job, seq=2, attempt_nr=0, from_state="failed", to_state="failed", actor="x", at=NOW
    )

    assert f"job {job.pk} has 2 final events" in found()


def test_a_finished_job_without_its_registered_output_is_found():
    job = create_job("finished", outputs=["HIST.1"])

    assert found() == f"job {job.pk} is finished, but HIST.1 has no registered file"


def test_an_output_without_a_replica_is_found():
    job = create_job("finished", outputs=["HIST.1"])
    job.files.update(file=create_file("HIST.1"))

    assert "HIST.1 has no registered file" in found()


def test_an_output_that_is_not_in_its_dataset_is_found():
    dataset = create_dataset()
    job = create_job("finished", outputs=["HIST.1"], dataset=dataset)
    file = create_file("HIST.1", at=[create_storage()])
    job.files.update(file=file)
    assert "HIST.1 has no registered file" in found()

    dataset.members.create(file=file)
    assert fsck.check() == []


def test_an_event_of_no_job_is_found():
    JobEvent.objects.create(job_id=4711, seq=1, attempt_nr=0, to_state="x", actor="x", at=NOW)

    assert "is of job 4711, which does not exist" in found()


def test_a_wrong_count_is_found():
    create_job("defined")
    CountDelta.objects.all().delete()

    assert found() == "cloud 0 site 0 managed defined: counted 0, found 1"


def test_the_command_counts_the_differences_and_fails_on_them(capsys):
    call_command("fsck")
    assert capsys.readouterr().out == "0 differences\n"

    create_job("finished", outputs=["HIST.1"])
    with pytest.raises(CommandError):
        call_command("fsck")
    assert capsys.readouterr().out.endswith("1 differences\n")


def test_many_differences_are_cut_short(monkeypatch):
    monkeypatch.setattr(fsck, "LIMIT", 2)
    site = create_site()
    for n in range(4):
        create_job("finished", site=site, outputs=[f"HIST.{n}"])
    assert local_storage(site)

    assert len(fsck.check()) == 2


# -- the archive ---------------------------------------------------------------------------------


def archived_job(state="failed"):
    job = create_job(state)
    job.files.create(type="log", scope="log", lfn="log.1")
    JobOutput.objects.create(job=job, attempt_nr=1, tail="", at=NOW)
    put_away()
    return job


def in_the_archive(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_an_archive_in_order_has_no_differences():
    archived_job()
    archived_job("cancelled")

    assert fsck.check() == []


def test_a_job_that_is_on_both_sides_is_found():
    job = archived_job()
    job.save(force_insert=True)

    assert f"job {job.pk} is there 2 times" in found()


@pytest.mark.parametrize("what", ["event", "file", "output"])
def test_what_belongs_to_no_job_is_found_on_either_side(what):
    ended, live = archived_job(), create_job("running")
    live.files.create(type="log", scope="log", lfn="log.2")
    JobOutput.objects.create(job=live, attempt_nr=1, tail="", at=NOW)
    in_the_archive("DELETE FROM jobs_endedjob")
    behind_the_guard("DELETE FROM jobs_job")

    lines = [line for line in fsck.check() if line.startswith(what)]

    assert len(lines) == 2
    assert all("which does not exist" in line for line in lines)
    assert {f"of job {job.pk}," in "".join(lines) for job in (ended, live)} == {True}


def test_what_lies_on_another_side_than_its_job_is_found():
    job = archived_job()
    in_the_archive("UPDATE jobs_endedjobfile SET job_end = job_end + interval '1 s'")

    assert f"is of job {job.pk}, which does not exist" in found()


def test_a_state_in_the_archive_without_its_event_is_found():
    job = archived_job()
    in_the_archive("UPDATE jobs_endedjob SET state = 'finished'")

    assert f"job {job.pk} is finished (event 1), its last event says failed (event 1)" in found()
    assert "counted 1, found 0" in found()


def test_two_successors_on_two_sides_are_found():
    job = archived_job()
    create_job("failed", retry_of=job.pk)
    put_away()
    create_job("waiting", retry_of=job.pk)

    assert fsck.check() == [f"job {job.pk} has 2 successors"]
