"""Registration: outputs enter the catalogue once, travel home, and the job ends."""

import pytest

from datasets.models import DatasetFile, File, Replica
from jobs import fsck, register, services
from jobs.models import Job
from pandasite.base.rounds import Incomplete, Round
from tests.base.trouble import database_error
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    local_storage,
)

pytestmark = pytest.mark.django_db


def held(site, *lfns, verdict="finished", **columns):
    """A job whose pilot has reported these outputs, 10 bytes each."""
    job = create_job("holding", site=site, outputs=lfns, verdict=verdict, **columns)
    job.files.update(size=10, adler32=ADLER32, guid=GUID, events=5)
    return job


def fresh(job):
    return Job.objects.get(pk=job.pk)


# -- into the catalogue ------------------------------------------------------------------------


def test_outputs_enter_catalogue_dataset_and_replica_list():
    site, dataset = create_site("AGLT2"), create_dataset("mc09.HIST")
    job = held(site, "HIST.1", dataset=dataset)

    assert register.run(after(minutes=1)) == 1

    file = File.objects.get(lfn="HIST.1")
    assert (file.scope, file.guid, file.size, file.adler32, file.events) == (
        "mc09", GUID, 10, ADLER32, 5,
    )  # fmt: skip
    assert list(dataset.files.all()) == [file]
    assert file.replicas.get().storage == local_storage(site)
    assert (job.files.get().file, job.files.get().status) == (file, "ready")
    assert fresh(job).state == "finished"
    assert fsck.check() == []


def test_outputs_are_registered_where_the_pilot_was_told_to_write():
    site, told = create_site(), create_storage("OLD_DISK")
    job = held(site, "HIST.1", storage=told)  # the site has another one by now
    job.files.create(type="log", scope="log", lfn="log.1", size=7, adler32=ADLER32, guid=GUID)

    register.run(NOW)

    assert {replica.storage for replica in Replica.objects.all()} == {told}
    assert fresh(job).state == "finished"


def test_outputs_of_a_site_that_lost_its_storage_are_registered_where_they_are():
    told = create_storage()
    job = held(create_site(with_storage=False), "HIST.1", storage=told)

    register.run(NOW)

    assert (fresh(job).state, Replica.objects.get().storage) == ("finished", told)


def test_registering_twice_is_registering_once():
    job = held(create_site(), "HIST.1", dataset=create_dataset())
    register.run(NOW)

    assert register.run(NOW) == 0
    assert register.register(job.pk, now=NOW) is False
    assert (File.objects.count(), Replica.objects.count(), DatasetFile.objects.count()) == (1, 1, 1)


def test_a_job_without_outputs_is_finished_as_it_is():
    job = held(create_site(), destination_se=create_storage("BNL_DISK"))

    register.run(NOW)

    assert fresh(job).state == "finished"


def test_a_failed_job_registers_its_log_and_nothing_else():
    site = create_site()
    job = held(site, "HIST.1", verdict="failed", exe_error_code=60000, max_attempt=1)
    job.files.create(type="log", scope="log", lfn="log.1", size=7, adler32=ADLER32, guid=GUID)

    register.run(NOW)

    assert fresh(job).state == "failed"
    assert [file.lfn for file in File.objects.all()] == ["log.1"]
    assert job.files.get(type="output").status == "failed"


def test_the_errors_that_the_pilot_named_are_in_the_last_event():
    job = held(create_site(), verdict="failed", exe_error_code=60000, exe_error_diag="signal 11")

    register.run(NOW)

    assert job.events.last().reason == {"errors": [["exe", 60000, "signal 11"]]}


def test_a_job_that_holds_without_a_final_word_is_left_to_the_watchdog():
    job = held(create_site(), verdict="")

    assert register.run(NOW) == 0
    assert fresh(job).state == "holding"


# -- what goes wrong with one job --------------------------------------------------------------


def test_an_output_whose_name_belongs_to_other_content_fails_the_job():
    site = create_site()
    create_file("HIST.1", size=999)
    job = held(site, "HIST.0", "HIST.1")

    register.run(NOW)

    assert fresh(job).state == "failed"
    assert fresh(job).errors()[0][:2] == ("ddm", 200)
    assert "999 bytes" in fresh(job).ddm_error_diag
    assert not File.objects.filter(lfn="HIST.0").exists()  # all of it or none
    assert {f.status for f in job.files.all()} == {"failed"}
    assert not Job.objects.filter(retry_of=job.pk).exists()  # its output would meet the same name


@pytest.mark.parametrize(
    ("verdict", "error"), [("finished", None), ("failed", ("exe", 60000, "signal 11"))]
)
def test_a_log_whose_name_is_taken_does_not_change_the_end_of_the_job(verdict, error):
    create_file("log.1", scope="log", size=999)
    job = held(
        create_site(), "HIST.1", verdict=verdict, max_attempt=1,
        exe_error_code=60000 if error else 0, exe_error_diag="signal 11" if error else "",
    )  # fmt: skip
    job.files.create(type="log", scope="log", lfn="log.1", size=7, adler32=ADLER32, guid=GUID)

    register.run(NOW)

    assert fresh(job).state == verdict
    assert fresh(job).errors() == ([error] if error else [])
    assert job.files.get(type="log").status == "failed"


def test_one_bad_job_does_not_stop_the_others():
    site = create_site()
    create_file("HIST.1", size=999)
    bad, good = held(site, "HIST.1"), held(site, "HIST.2")

    assert register.run(NOW) == 2
    assert (fresh(bad).state, fresh(good).state) == ("failed", "finished")


def test_a_job_at_a_site_that_lost_its_storage_waits_and_does_not_stop_the_others():
    poor, rich = create_site(with_storage=False), create_site()
    waiting, good = held(poor, "HIST.1"), held(rich, "HIST.2")

    assert register.run(NOW) == 1
    assert (fresh(waiting).state, fresh(good).state) == ("holding", "finished")

    create_storage(sites=[poor])
    register.run(NOW)
    assert fresh(waiting).state == "finished"


def test_many_jobs_that_cannot_be_registered_do_not_hide_the_others(monkeypatch):
    monkeypatch.setattr(register, "BATCH", 2)
    poor, rich = create_site(with_storage=False), create_site()
    for n in range(5):
        held(poor, f"HIST.{n}")
    home, dataset = create_storage(), create_dataset("d" * 255)  # no block can be named after it
    taken = [held(rich, f"HIST.1{n}", destination_se=home, dataset=dataset) for n in range(3)]
    good = held(rich, "HIST.8")

    assert register.run(NOW) == 1

    assert fresh(good).state == "finished"
    assert {fresh(job).state for job in taken} == {"holding"}


def test_a_job_that_another_one_holds_is_named_and_left(monkeypatch):
    site = create_site()
    first, second = held(site, "HIST.1"), held(site, "HIST.2")
    all_must_move = services.all_must_move

    def locked(panda_ids, *args, **kwargs):
        if first.pk in panda_ids:
            raise database_error("40P01")
        all_must_move(panda_ids, *args, **kwargs)

    monkeypatch.setattr(services, "all_must_move", locked)

    with pytest.raises(Incomplete, match=f"job {first.pk}: it was in a deadlock") as left:
        register.run(NOW)

    assert left.value.rows == 1
    assert (fresh(first).state, fresh(second).state) == ("holding", "finished")
    assert not File.objects.filter(lfn="HIST.1").exists()


def test_a_round_that_took_too_long_leaves_the_rest_to_the_next(monkeypatch):
    held(create_site(), "HIST.1")
    monkeypatch.setattr(Round, "over", True)

    assert register.run(NOW) == 0


def test_what_came_after_the_round_began_waits_for_the_next():
    job = held(create_site(), "HIST.1")

    assert register.run(after(seconds=-1)) == 0
    assert register.run(NOW) == 1
    assert fresh(job).end_time == NOW


def test_a_name_that_the_database_cannot_take_does_not_stop_the_others():
    site = create_site()
    good = held(site, "HIST.2", destination_se=create_storage())
    bad = held(site, "HIST.1", destination_se=create_storage(), dataset=create_dataset("d" * 255))
    last = held(site, "HIST.3")

    register.run(NOW)

    assert [fresh(j).state for j in (good, bad, last)] == ["transferring", "holding", "finished"]
